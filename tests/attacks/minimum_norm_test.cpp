// What minimum-norm attacks find on linear networks, and what they leave on the pixel grid.
#include "attacks/engine/minimum_norm.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kImages = 6, kSide = 8;

struct Case {
  std::string attack;
  Norm norm;
  double farthest;  ///< the worst ratio to the exact distance that the attack may leave
};

/// Two classes; the images keep away from 0 and 255, so that no perturbation is cut.
class MinimumNormAnswers : public testing::Test {
 protected:
  MinimumNormAnswers() {
    normal_ = weight_[0] - weight_[1];
    const auto middle = to_float(images_).flatten(1).mm(normal_.unsqueeze(1)).mean().item<float>();
    // Every image is well on the side of class 0.
    classifier_ = std::make_unique<Classifier>(linear_classifier(weight_, torch::tensor({1.5f - middle, 0.0f}), kSide));
  }

  AttackInput input(bool targeted) const { return make_input(*classifier_, images_, targeted); }

  AttackResult run(const std::string& attack, const ThreatModel& threat, const AttackSettings& settings,
                   bool targeted = false) const {
    return make_attack(attack, settings, threat.norm, targeted)->run(*classifier_, threat, input(targeted), Rng(1));
  }

  static ThreatModel everything(Norm norm) { return {norm, norm == Norm::Linf ? 1.0 : 1000.0}; }

  /// (N) float64: the distance to the boundary.
  torch::Tensor exact(Norm norm) const {
    const auto logits = classifier_->logits(to_float(images_));
    const auto margin = (logits.select(1, 0) - logits.select(1, 1)).to(torch::kFloat64);
    return margin / dual_norms(normal_.view({1, 1, kSide, kSide}), norm);
  }

  static AttackSettings off_grid() {
    AttackSettings settings;
    settings.pixel_grid = false;
    return settings;
  }

  torch::Tensor images_ = test_images(kImages, kSide, 100, 150);
  torch::Tensor weight_ = uniform_rows(Rng(5), {0, 1}, {kSide * kSide});
  torch::Tensor normal_;
  std::unique_ptr<Classifier> classifier_;
};

TEST_F(MinimumNormAnswers, EachEndsAtTheMarginOverTheDualNormOfTheWeights) {
  for (const auto& [attack, norm, farthest] :
       {Case{"deepfool", Norm::Linf, 1.021}, Case{"deepfool", Norm::L2, 1.021}, Case{"fab", Norm::Linf, 1.02},
        Case{"fab", Norm::L2, 1.02}, Case{"fab", Norm::L1, 1.05}, Case{"fab-t", Norm::L2, 1.02},
        Case{"fmn", Norm::Linf, 1.02}, Case{"fmn", Norm::L2, 1.02}, Case{"fmn", Norm::L1, 1.1},
        Case{"ddn", Norm::L2, 1.15}, Case{"cw", Norm::L2, 1.1}, Case{"ead", Norm::L1, 1.2},
        Case{"pdpgd", Norm::L2, 1.1}, Case{"pdpgd", Norm::L1, 1.1}}) {
    for (const bool targeted : {false, true}) {
      const bool slow = attack == "cw" || attack == "ead";
      if (targeted && (attack == "fab-t" || slow)) continue;
      auto settings = off_grid();
      if (slow) settings.set("steps", 40);
      const auto result = run(attack, everything(norm), settings, targeted);
      EXPECT_TRUE(result.success.all().item<bool>()) << attack << " " << to_string(norm);
      const auto ratio = result.distance / exact(norm);
      EXPECT_GE(ratio.min().item<double>(), 1 - 1e-4) << attack << " " << to_string(norm) << ratio;
      EXPECT_LE(ratio.max().item<double>(), farthest) << attack << " " << to_string(norm) << ratio;
    }
  }
}

TEST_F(MinimumNormAnswers, FmnInL0ChangesAsFewValuesAsTheWeightsAllow) {
  const auto result = run("fmn", everything(Norm::L0), off_grid());
  EXPECT_TRUE(result.success.all().item<bool>());
  EXPECT_LE(result.distance.max().item<double>(), 8);
}

TEST_F(MinimumNormAnswers, SigmaZeroChangesAsFewValuesAsTheWeightsAllow) {
  const auto x = to_float(images_).flatten(1);
  const auto reach = torch::where(normal_.gt(0), x, 1 - x) * normal_.abs();  // how far each value can lower the margin
  const auto most = std::get<0>(reach.sort(1, /*descending=*/true)).cumsum(1).to(torch::kFloat64);
  const auto margin = exact(Norm::L1) * dual_norms(normal_.view({1, 1, kSide, kSide}), Norm::L1);
  const auto fewest = most.le(margin.unsqueeze(1)).sum(1) + 1;
  const auto result = run("sigma-zero", everything(Norm::L0), off_grid());
  EXPECT_TRUE(result.success.all().item<bool>());
  EXPECT_TRUE(result.distance.ge(fewest).all().item<bool>()) << result.distance << fewest;
  EXPECT_TRUE(result.distance.le(fewest + 1).all().item<bool>()) << result.distance << fewest;
}

TEST_F(MinimumNormAnswers, OnThePixelGridLinfEndsAtTheNextWholeLevel) {
  for (const char* attack : {"deepfool", "fab", "fmn"}) {
    const auto result = run(attack, everything(Norm::Linf), {});
    const auto levels = (exact(Norm::Linf) * 255).ceil();
    EXPECT_TRUE((result.distance * 255).sub(levels).abs().lt(1e-3).all().item<bool>())
        << attack << result.distance * 255 << levels;
  }
}

TEST_F(MinimumNormAnswers, OnThePixelGridL2EndsAtTheBestSingleLevelsWhereRoundingLosesEverything) {
  // So near to the boundary that every value changes by less than half a level: the nearest 8-bit image changes the
  // values with the largest weights by one.
  constexpr float kMargin = 0.02f;
  const auto reach = std::get<0>(normal_.abs().sort(0, /*descending=*/true)).cumsum(0) / 255;
  const double values = reach.lt(kMargin).sum().item<double>() + 1;
  for (int64_t i = 0; i < kImages; ++i) {
    const auto image = images_.narrow(0, i, 1);
    const auto side = row_sums(to_float(image) * normal_.view({1, 1, kSide, kSide})).item<float>();
    const auto classifier = linear_classifier(weight_, torch::tensor({kMargin - side, 0.0f}), kSide);
    const auto in = make_input(classifier, image, false);
    const auto attack = [&](const AttackSettings& settings) {
      return make_attack("deepfool", settings, Norm::L2, false)->run(classifier, everything(Norm::L2), in, Rng(1));
    };
    EXPECT_LT((attack(off_grid()).x_adv - in.x).abs().max().item<float>(), 0.5f / 255);
    const auto settled = attack({});
    EXPECT_TRUE(settled.success.item<bool>());
    EXPECT_NEAR(settled.distance.item<double>(), std::sqrt(values) / 255, 1e-6);
  }
}

TEST_F(MinimumNormAnswers, ASuccessOutsideTheBallDoesNotCount) {
  for (const bool pixel_grid : {true, false}) {
    AttackSettings settings;
    settings.pixel_grid = pixel_grid;
    const auto result = run("fab", {Norm::L2, 0.9 * exact(Norm::L2).min().item<double>()}, settings);
    EXPECT_FALSE(result.success.any().item<bool>());
    EXPECT_FALSE(result.float_success.any().item<bool>());
  }
}

TEST_F(MinimumNormAnswers, StoppingAtTheFirstSuccessInTheBallIsCheaperAndStillASuccess) {
  for (const bool pixel_grid : {true, false}) {
    AttackSettings settings;
    settings.pixel_grid = pixel_grid;
    const ThreatModel threat{Norm::L2, 1.5 * exact(Norm::L2).max().item<double>()};
    const auto nearest = run("fab-t", threat, settings);
    settings.nearest = false;
    const auto first = run("fab-t", threat, settings);
    EXPECT_TRUE(first.success.all().item<bool>());
    EXPECT_LT(first.forward * 5, nearest.forward);
    EXPECT_LE(nearest.distance.max().item<double>(), first.distance.max().item<double>());
  }
}

TEST_F(MinimumNormAnswers, NothingChangesOutsideTheMask) {
  auto in = input(false);
  in.mask = torch::zeros_like(in.x);
  in.mask.slice(2, 2, 6).fill_(1);
  for (const auto& [attack, norm, steps] :
       {std::tuple{"deepfool", Norm::L2, 50}, std::tuple{"fab", Norm::Linf, 20}, std::tuple{"fmn", Norm::L0, 50},
        std::tuple{"ddn", Norm::L2, 50}, std::tuple{"cw", Norm::L2, 20}, std::tuple{"ead", Norm::L1, 20}}) {
    for (const bool pixel_grid : {true, false}) {
      AttackSettings settings;
      settings.pixel_grid = pixel_grid;
      settings.set("steps", steps);
      const auto result = make_attack(attack, settings, norm, false)->run(*classifier_, everything(norm), in, Rng(1));
      EXPECT_TRUE(((result.x_adv - in.x) * (1 - in.mask)).eq(0).all().item<bool>()) << attack;
      EXPECT_TRUE(result.success.any().item<bool>()) << attack;
    }
  }
}

/// Two classes and images of which two thirds are black or white, so that much of the gradient points out of [0,1].
class MinimumNormOnHardImages : public MinimumNormAnswers {
 protected:
  MinimumNormOnHardImages() {
    images_.slice(2, 0, 3).zero_();
    images_.slice(2, 3, 6).fill_(255);
    const auto side = to_float(images_).flatten(1).mm(normal_.unsqueeze(1));
    classifier_ = std::make_unique<Classifier>(
        linear_classifier(weight_, torch::tensor({0.8f - side.min().item<float>(), 0.0f}), kSide));
  }

  /// (N) float64: the distance to the boundary within [0,1].
  torch::Tensor exact_in_range(Norm norm) const {
    const auto logits = classifier_->logits(to_float(images_));
    const auto margin = (logits.select(1, 0) - logits.select(1, 1)).to(torch::kFloat64);
    const auto normal = normal_.view({1, 1, kSide, kSide}).expand({kImages, 1, kSide, kSide});
    return row_norms(step_onto(to_float(images_), normal, -margin, norm), norm);
  }
};

TEST_F(MinimumNormOnHardImages, FmnReachesTheBoundaryInEveryNorm) {
  for (const auto& [norm, farthest] :
       {std::pair{Norm::L2, 1.02}, std::pair{Norm::L1, 1.1}, std::pair{Norm::Linf, 1.02}}) {
    const auto result = run("fmn", everything(norm), off_grid());
    EXPECT_TRUE(result.success.all().item<bool>()) << to_string(norm) << result.distance << exact_in_range(norm);
    const auto ratio = result.distance / exact_in_range(norm);
    EXPECT_GE(ratio.min().item<double>(), 1 - 1e-4) << to_string(norm);
    EXPECT_LE(ratio.max().item<double>(), farthest) << to_string(norm) << ratio;
  }
}

TEST_F(MinimumNormOnHardImages, DdnReachesTheBoundary) {
  const auto result = run("ddn", everything(Norm::L2), off_grid());
  EXPECT_TRUE(result.success.all().item<bool>());
  const auto ratio = result.distance / exact_in_range(Norm::L2);
  EXPECT_GE(ratio.min().item<double>(), 1 - 1e-4);
  EXPECT_LE(ratio.max().item<double>(), 1.15) << ratio;
}

TEST(CarliniWagner, MovesBlackAndWhitePixels) {
  // All values count alike; the boundary lies where each has moved by 0.03: 0.24 in L2.
  constexpr double kMove = 0.03;
  const auto weight = torch::stack({torch::ones({kSide * kSide}), torch::zeros({kSide * kSide})});
  for (const int64_t shade : {0, 255}) {
    const auto images = torch::full({1, 1, kSide, kSide}, shade, torch::kUInt8);
    const double sum = static_cast<double>(shade) / 255 * kSide * kSide;
    const double edge = sum + (shade == 0 ? kMove : -kMove) * kSide * kSide;
    const double sign = shade == 0 ? -1 : 1;
    const auto classifier =
        linear_classifier(weight * sign, torch::tensor({static_cast<float>(-sign * edge), 0.0f}), kSide);
    AttackSettings settings;
    settings.pixel_grid = false;
    settings.set("steps", 100);
    const auto input = make_input(classifier, images, false);
    const auto result = make_attack("cw", settings, Norm::L2, false)->run(classifier, {Norm::L2, 8}, input, Rng(1));
    EXPECT_TRUE(result.success.item<bool>()) << shade;
    EXPECT_NEAR(result.distance.item<double>(), kMove * kSide, 0.05 * kMove * kSide) << shade;
  }
}

TEST(StepOnto, IsTheNearestPointOfTheHyperplaneInsideTheUnitRange) {
  const auto points = to_float(test_images(kImages, kSide, 0, 255));
  const auto normal = normal_rows(Rng(3), {0, 1, 2, 3, 4, 5}, {1, kSide, kSide});
  for (const double change : {0.5, -0.5, 6.0}) {
    const auto wanted = torch::full({kImages}, change, torch::kFloat64);
    for (const Norm norm : {Norm::Linf, Norm::L2, Norm::L1}) {
      const auto step = step_onto(points, normal, wanted, norm);
      EXPECT_TRUE(row_sums((normal * step).to(torch::kFloat64)).sub(wanted).abs().lt(1e-5).all().item<bool>());
      EXPECT_TRUE((points + step).ge(-1e-6).logical_and((points + step).le(1 + 1e-6)).all().item<bool>());
      // No other step of the hyperplane and the box is shorter: feasible mixtures with the other norms' steps.
      for (const Norm other : {Norm::Linf, Norm::L2, Norm::L1}) {
        const auto mixed = 0.5 * step + 0.5 * step_onto(points, normal, wanted, other);
        EXPECT_TRUE(row_norms(mixed, norm).ge(row_norms(step, norm) * (1 - 1e-5)).all().item<bool>());
      }
    }
  }
}

TEST(StepOnto, GoesAsFarAsTheUnitRangeAllowsWhereItHoldsNoSuchStep) {
  const auto points = torch::full({1, 1, 1, 2}, 0.75f);
  const auto normal = torch::tensor({2.0f, -1.0f}).view({1, 1, 1, 2});
  for (const Norm norm : {Norm::Linf, Norm::L2, Norm::L1}) {
    const auto step = step_onto(points, normal, torch::full({1}, 9.0, torch::kFloat64), norm);
    EXPECT_TRUE(step.flatten().allclose(torch::tensor({0.25f, -0.75f}))) << to_string(norm);
  }
}

}  // namespace

}  // namespace fercli::test
