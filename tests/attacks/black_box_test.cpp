// Attacks that see scores or decisions alone.
#include "attacks/engine/attack.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16;

/// How often each of `n` images was shown to the network.
std::vector<int64_t> looks(const std::string& name, Norm norm, int64_t queries, int64_t restarts,
                           const ThreatModel& threat, const AttackInput& input, const Classifier& classifier) {
  std::vector<int64_t> counts(input.index.size());
  AttackSettings settings;
  settings.set("queries", queries);
  settings.set("restarts", restarts);
  settings.trace = [&](const torch::Tensor& rows, const torch::Tensor&, const torch::Tensor&) {
    for (int64_t i = 0; i < rows.size(0); ++i) ++counts[static_cast<size_t>(rows[i].item<int64_t>())];
  };
  make_attack(name, settings, norm, input.goal.is_targeted())->run(classifier, threat, input, Rng(3));
  return counts;
}

TEST(BlackBox, NoAttackAsksMoreThanItsBudget) {
  const auto classifier = confident_cnn(kSide);
  for (const bool targeted : {false, true}) {
    const auto input = make_input(classifier, test_images(2, kSide, 0, 255), targeted);
    for (const char* name : {"square", "spsa", "hopskipjump"}) {
      for (const Norm norm : {Norm::Linf, Norm::L2}) {
        for (const int64_t queries : {1, 2, 3, 57}) {
          const ThreatModel tiny{norm, norm == Norm::Linf ? 1 / 255.0 : 0.01};
          for (const int64_t count : looks(name, norm, queries, 1, tiny, input, classifier)) {
            EXPECT_LE(count, queries) << name << " " << to_string(norm);
          }
        }
      }
    }
  }
}

TEST(BlackBox, SpsaIsNoMinimumNormAttackAndHopSkipJumpIsOne) {
  EXPECT_FALSE(make_attack("spsa", {}, Norm::Linf, true)->minimum_norm());
  EXPECT_TRUE(make_attack("hopskipjump", {}, Norm::Linf, true)->minimum_norm());
  AttackSettings settings;
  settings.nearest = false;
  EXPECT_FALSE(make_attack("hopskipjump", settings, Norm::Linf, true)->minimum_norm());
}

TEST(BlackBox, SquareSpendsItsWholeBudgetOnImagesItCannotSolve) {
  const auto classifier = confident_cnn(kSide);
  const auto input = make_input(classifier, test_images(2, kSide, 0, 255), true);
  const ThreatModel tiny{Norm::Linf, 1 / 255.0};
  EXPECT_EQ(looks("square", Norm::Linf, 40, 1, tiny, input, classifier), (std::vector<int64_t>{40, 40}));
  EXPECT_EQ(looks("square", Norm::Linf, 40, 2, tiny, input, classifier), (std::vector<int64_t>{79, 79}));
}

TEST(BlackBox, SquarePaintsEveryPixelToTheEdgeOfTheBall) {
  const auto classifier = confident_cnn(kSide);
  const auto input = make_input(classifier, test_images(3, kSide, 60, 190), true);
  AttackSettings settings;
  settings.set("queries", 60);
  settings.pixel_grid = false;
  settings.confidence = 2;
  const ThreatModel threat{Norm::Linf, 0.05};
  const auto result = make_attack("square", settings, Norm::Linf, true)->run(classifier, threat, input, Rng(3));
  EXPECT_LT((result.x_adv - input.x).abs().sub(threat.eps).abs().max().item<double>(), 1e-6);
}

TEST(BlackBox, SquareReachesTheLastRowAndColumn) {
  // Of the linear network only the last pixel counts, and stripes have its sign wrong for half of the images.
  auto weight = torch::zeros({2, kSide * kSide});
  weight[1][kSide * kSide - 1] = 1;
  const auto classifier = linear_classifier(weight, torch::tensor({0.5f, 0.0f}), kSide);
  const auto images = test_images(12, kSide, 100, 120);
  const AttackInput input{to_float(images), Goal::targeted(torch::ones({12}, torch::kInt64)), image_keys(images)};
  AttackSettings settings;
  settings.set("queries", 400);
  const ThreatModel threat{Norm::Linf, 5 / 255.0};
  const auto result = make_attack("square", settings, Norm::Linf, true)->run(classifier, threat, input, Rng(3));
  const auto corner = (result.x_adv - input.x).select(3, kSide - 1).select(2, kSide - 1);
  EXPECT_LT(corner.sub(threat.eps).abs().max().item<double>(), 1e-6) << corner;
}

TEST(BlackBox, SquareInL2UsesTheWholeLength) {
  const auto classifier = confident_cnn(kSide);
  const auto input = make_input(classifier, test_images(3, kSide, 60, 190), true);
  AttackSettings settings;
  settings.set("queries", 60);
  settings.pixel_grid = false;
  settings.confidence = 2;
  const auto result = make_attack("square", settings, Norm::L2, true)->run(classifier, {Norm::L2, 0.5}, input, Rng(3));
  EXPECT_LT(result.distance.sub(0.5).abs().max().item<double>(), 1e-4) << result.distance;
}

/// Two classes, images on the side of class 0; how far the margin can fall in each norm is known.
struct Linear {
  torch::Tensor images = test_images(2, kSide, 100, 150);
  torch::Tensor weight = uniform_rows(Rng(5), {0, 1}, {kSide * kSide});
  torch::Tensor normal = weight[0] - weight[1];
  Classifier classifier = linear_classifier(
      weight, torch::tensor({1.0f - to_float(images).flatten(1).mv(normal).mean().item<float>(), 0.0f}), kSide);
  AttackInput input = make_input(classifier, images, true);

  torch::Tensor margin(const torch::Tensor& x) const {
    const auto logits = classifier.logits(x);
    return (logits.select(1, 0) - logits.select(1, 1)).abs().to(torch::kFloat64);
  }
};

TEST(BlackBox, SpsaComesNearTheBestLinearAnswer) {
  const Linear linear;
  AttackSettings settings;
  settings.set("queries", 1500);
  settings.confidence = 2;
  const ThreatModel threat{Norm::Linf, 4 / 255.0};
  const auto result =
      make_attack("spsa", settings, Norm::Linf, true)->run(linear.classifier, threat, linear.input, Rng(1));
  const auto logits = linear.classifier.logits(linear.input.x), after = linear.classifier.logits(result.x_adv);
  const auto change = (logits.select(1, 0) - logits.select(1, 1)) - (after.select(1, 0) - after.select(1, 1));
  const auto share = linear.input.goal.labels().mul(2).sub(1).mul(change) / (threat.eps * linear.normal.abs().sum());
  EXPECT_GT(share.min().item<double>(), 0.6) << share;
  EXPECT_LE(share.max().item<double>(), 1.001) << share;
}

TEST(BlackBox, HopSkipJumpComesNearTheSmallestLinearDistance) {
  const Linear linear;
  AttackSettings settings;
  settings.set("queries", 2000);
  settings.pixel_grid = false;
  const auto result = make_attack("hopskipjump", settings, Norm::L2, true)
                          ->run(linear.classifier, {Norm::L2, 50}, linear.input, Rng(1));
  ASSERT_TRUE(result.success.all().item<bool>());
  const auto ratio = result.distance / (linear.margin(linear.input.x) / linear.normal.norm().item<double>());
  EXPECT_GE(ratio.min().item<double>(), 0.999) << ratio;
  EXPECT_LE(ratio.max().item<double>(), 2.5) << ratio;
}

TEST(BlackBox, HopSkipJumpBeginsAtTheImageItIsGiven) {
  const Linear linear;
  auto input = linear.input;
  const auto towards = (linear.input.goal.labels() * 2 - 1).view({-1, 1, 1, 1});  // class 1 lies against the normal
  input.start = (input.x - towards * linear.normal.sign().view({1, 1, kSide, kSide}) * 0.4).clamp(0, 1);
  ASSERT_TRUE(input.goal.reached(linear.classifier.logits(input.start)).all().item<bool>());
  AttackSettings settings;
  settings.set("queries", 16);
  const auto result =
      make_attack("hopskipjump", settings, Norm::L2, true)->run(linear.classifier, {Norm::L2, 16}, input, Rng(1));
  EXPECT_TRUE(result.success.all().item<bool>());
  EXPECT_TRUE(result.distance.lt(row_norms(input.start - input.x, Norm::L2)).all().item<bool>());
  // Drawn in along the straight line to the start, with a direction of its own: all pixels moved alike.
  const auto change = (result.x_adv - input.x).abs();
  EXPECT_LT((change.flatten(1).amax(1) - change.flatten(1).amin(1)).max().item<float>(), 1.5f / 255);
}

TEST(BlackBox, MaskedSquareChangesNothingOutside) {
  const auto classifier = confident_cnn(kSide);
  auto input = make_input(classifier, test_images(3, kSide, 0, 255), true);
  input.mask = torch::zeros_like(input.x);
  input.mask.slice(2, 3, 7).slice(3, 9, 14).fill_(1);
  for (const Norm norm : {Norm::Linf, Norm::L2}) {
    AttackSettings settings;
    settings.set("queries", 40);
    const auto result = make_attack("square", settings, norm, true)->run(classifier, {norm, 0.3}, input, Rng(3));
    EXPECT_TRUE(result.x_adv.masked_select(input.mask.eq(0)).equal(input.x.masked_select(input.mask.eq(0))));
    EXPECT_TRUE(result.x_adv.ne(input.x).any().item<bool>());
  }
}

}  // namespace

}  // namespace fercli::test
