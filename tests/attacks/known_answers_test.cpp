// On a linear network the best perturbation is known in closed form.
#include "attacks/engine/minimal_eps.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kImages = 6, kSide = 8;

/// Two classes; the images keep away from 0 and 255, so that no perturbation is cut.
class LinearAnswers : public testing::Test {
 protected:
  LinearAnswers() {
    weight_ = uniform_rows(Rng(5), {0, 1}, {kSide * kSide});
    normal_ = weight_[0] - weight_[1];
    middle_ = to_float(images_).flatten(1).mm(normal_.unsqueeze(1)).mean().item<float>();
    // Every image is well on the side of class 0.
    classifier_ =
        std::make_unique<Classifier>(linear_classifier(weight_, torch::tensor({3.0f - middle_, 0.0f}), kSide));
    input_ = std::make_unique<AttackInput>(make_input(*classifier_, images_, true));
  }

  torch::Tensor margin(const torch::Tensor& x) const {
    const auto logits = classifier_->logits(x);
    return (logits.select(1, 0) - logits.select(1, 1)).abs().to(torch::kFloat64);
  }

  double l1() const { return normal_.abs().sum().item<double>(); }
  double l2() const { return normal_.norm().item<double>(); }

  torch::Tensor images_ = test_images(kImages, kSide, 100, 150);
  torch::Tensor weight_, normal_;
  float middle_ = 0;
  std::unique_ptr<Classifier> classifier_;
  std::unique_ptr<AttackInput> input_;
};

TEST_F(LinearAnswers, LinfAttacksChangeTheMarginByEpsTimesTheL1NormOfTheWeights) {
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  for (const char* name : {"fgsm", "pgd"}) {
    for (const char* loss : {"ce", "margin"}) {
      AttackSettings settings;
      settings.set("loss", loss);
      const auto result = make_attack(name, settings, Norm::Linf, true)->run(*classifier_, threat, *input_, Rng(1));
      ASSERT_FALSE(result.success.any().item<bool>()) << name;
      const auto change = margin(input_->x) - margin(result.x_adv);
      EXPECT_TRUE(change.sub(threat.eps * l1()).abs().lt(1e-4).all().item<bool>()) << name << " " << change;
    }
  }
}

TEST_F(LinearAnswers, FgsmInL1SpendsAllOfEpsHoweverLarge) {
  const auto far = linear_classifier(weight_, torch::tensor({30.0f - middle_, 0.0f}), kSide);
  AttackSettings settings;
  settings.pixel_grid = false;
  auto last = torch::zeros({kImages}, torch::kFloat64);
  for (const double eps : {0.3, 1.0, 2.0, 4.0}) {
    const auto result = make_attack("fgsm", settings, Norm::L1, true)->run(far, {Norm::L1, eps}, *input_, Rng(1));
    ASSERT_FALSE(result.success.any().item<bool>());
    EXPECT_TRUE(result.distance.sub(eps).abs().lt(1e-4).all().item<bool>()) << result.distance;
    const auto lead = [&](const torch::Tensor& x) { return far.logits(x).select(1, 0) - far.logits(x).select(1, 1); };
    const auto change = (lead(input_->x) - lead(result.x_adv)).to(torch::kFloat64).abs();
    EXPECT_TRUE(change.gt(last).all().item<bool>()) << eps << change;
    last = change;
  }
}

TEST_F(LinearAnswers, AttacksOnTheCrossEntropyWorkHoweverLargeTheLogits) {
  const auto large = linear_classifier(weight_ * 1e5, torch::tensor({(3.0f - middle_) * 1e5f, 0.0f}), kSide);
  const ThreatModel threat{Norm::Linf, 60 / 255.0};
  for (const char* name : {"fgsm", "pgd", "bim", "mi-fgsm", "apgd-ce"}) {
    const auto plain = make_attack(name, {}, Norm::Linf, true)->run(*classifier_, threat, *input_, Rng(1));
    const auto scaled = make_attack(name, {}, Norm::Linf, true)->run(large, threat, *input_, Rng(1));
    ASSERT_TRUE(plain.success.all().item<bool>()) << name;
    EXPECT_TRUE(scaled.success.all().item<bool>()) << name;
  }
}

TEST_F(LinearAnswers, L2AttacksOffTheGridChangeTheMarginByEpsTimesTheL2NormOfTheWeights) {
  const ThreatModel threat{Norm::L2, 0.2};
  AttackSettings settings;
  settings.pixel_grid = false;
  auto from_original = *input_;  // a random start leaves a small part across the gradient
  from_original.start = input_->x;
  for (const char* name : {"fgsm", "pgd"}) {
    const auto result = make_attack(name, settings, Norm::L2, true)->run(*classifier_, threat, from_original, Rng(1));
    const auto change = margin(input_->x) - margin(result.x_adv);
    EXPECT_TRUE(change.div(threat.eps * l2()).sub(1).abs().lt(1e-3).all().item<bool>()) << name << " " << change;
  }
}

TEST_F(LinearAnswers, TheSmallestLinfEpsIsTheMarginOverTheL1NormRoundedUpToALevel) {
  const auto attack = make_attack("pgd", {}, Norm::Linf, true);
  const auto found = minimal_eps(*classifier_, *attack, Norm::Linf, *input_, Rng(1));
  const auto levels = (margin(input_->x) / l1() * 255).ceil();
  EXPECT_TRUE((found.eps * 255).sub(levels).abs().lt(1e-3).all().item<bool>()) << found.eps * 255 << levels;
  EXPECT_TRUE(input_->goal.reached(classifier_->logits(found.x_adv)).all().item<bool>());
  EXPECT_TRUE(distances(found.x_adv, input_->x, Norm::Linf, /*pixel_grid=*/true).equal(found.eps));
}

TEST_F(LinearAnswers, TheSearchForTheSmallestEpsKeepsToTheMask) {
  const auto attack = make_attack("pgd", {}, Norm::Linf, true);
  auto masked = *input_;
  masked.mask = torch::ones_like(input_->x);
  masked.mask.slice(2, 0, kSide / 2).zero_();
  const auto found = minimal_eps(*classifier_, *attack, Norm::Linf, masked, Rng(1), {1, 1 / 255.0});
  EXPECT_TRUE(found.eps.isfinite().any().item<bool>());
  EXPECT_TRUE((found.x_adv - input_->x).slice(2, 0, kSide / 2).eq(0).all().item<bool>());
}

TEST_F(LinearAnswers, TheSmallestL2EpsIsTheMarginOverTheL2Norm) {
  AttackSettings settings;
  settings.pixel_grid = false;
  const auto attack = make_attack("pgd", settings, Norm::L2, true);
  const auto found = minimal_eps(*classifier_, *attack, Norm::L2, *input_, Rng(1), {4.0, 0.005});
  const auto ratio = found.eps / (margin(input_->x) / l2());
  EXPECT_GT(ratio.min().item<double>(), 0.9999);
  EXPECT_LT(ratio.max().item<double>(), 1.02);
}

TEST_F(LinearAnswers, UntargetedAndTargetedAgreeOnTwoClasses) {
  const ThreatModel threat{Norm::Linf, 20 / 255.0};
  const auto attack = make_attack("pgd", {}, Norm::Linf, false);
  const auto untargeted = make_input(*classifier_, images_, false);
  EXPECT_TRUE(attack->run(*classifier_, threat, *input_, Rng(1))
                  .x_adv.equal(attack->run(*classifier_, threat, untargeted, Rng(1)).x_adv));
}

TEST_F(LinearAnswers, BeyondTheLimitTheSmallestEpsIsInfiniteAndTheImageTheOriginal) {
  const auto attack = make_attack("pgd", {}, Norm::Linf, true);
  const auto found = minimal_eps(*classifier_, *attack, Norm::Linf, *input_, Rng(1), {2 / 255.0, 1 / 255.0});
  EXPECT_TRUE(found.eps.isinf().all().item<bool>());
  EXPECT_TRUE(found.x_adv.equal(input_->x));
}

TEST_F(LinearAnswers, TheSmallestEpsDoesNotDependOnCompanyOrOnTheStartingPoint) {
  const auto attack = make_attack("pgd", {}, Norm::Linf, true);
  const auto all = minimal_eps(*classifier_, *attack, Norm::Linf, *input_, Rng(1));
  const auto rows = torch::tensor({4, 1});
  const AttackInput pair{
      input_->x.index_select(0, rows), input_->goal.select(rows), {input_->index[4], input_->index[1]}};
  const auto two = minimal_eps(*classifier_, *attack, Norm::Linf, pair, Rng(1));
  EXPECT_TRUE(all.x_adv.index_select(0, rows).equal(two.x_adv));
  auto from_far = *input_;
  from_far.start = attack->run(*classifier_, {Norm::Linf, 40 / 255.0}, *input_, Rng(1)).x_adv;
  EXPECT_TRUE(minimal_eps(*classifier_, *attack, Norm::Linf, from_far, Rng(1)).eps.equal(all.eps));
}

TEST_F(LinearAnswers, ConfidenceGoesOnPastTheFirstSuccess) {
  AttackSettings sure;
  sure.confidence = 0.9;
  const ThreatModel threat{Norm::Linf, 60 / 255.0};
  const auto first = make_attack("pgd", {}, Norm::Linf, true)->run(*classifier_, threat, *input_, Rng(1));
  const auto further = make_attack("pgd", sure, Norm::Linf, true)->run(*classifier_, threat, *input_, Rng(1));
  EXPECT_TRUE(further.success.all().item<bool>());
  EXPECT_GE(input_->goal.probability(further.logits).min().item<float>(), 0.9f);
  EXPECT_LT(input_->goal.probability(first.logits).min().item<float>(), 0.9f);
}

}  // namespace

}  // namespace fercli::test
