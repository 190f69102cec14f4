// What the attacks of a fixed budget must find on linear networks, and what is theirs alone.

#include "attacks/engine/search.hpp"
#include "core/error.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kImages = 6, kSide = 8;

/// Images keep away from 0 and 255, so that no perturbation is cut, and none can be broken within the eps used.
class FixedBudget : public testing::Test {
 protected:
  AttackResult run(const std::string& name, const AttackSettings& settings, const ThreatModel& threat,
                   bool targeted = true) const {
    return make_attack(name, settings, threat.norm, targeted)
        ->run(classifier_, threat, make_input(classifier_, images_, targeted), Rng(1));
  }

  /// (N) float64: by how much the attack lowered the margin of class 0 over class 1.
  torch::Tensor gain(const AttackResult& result) const {
    return (margin(to_float(images_)) - margin(result.x_adv)).to(torch::kFloat64);
  }

  torch::Tensor margin(const torch::Tensor& x) const {
    const auto logits = classifier_.logits(x);
    return logits.select(1, 0) - logits.select(1, 1);
  }

  torch::Tensor images_ = test_images(kImages, kSide, 100, 150);
  torch::Tensor weight_ = uniform_rows(Rng(5), {0, 1}, {kSide * kSide});
  torch::Tensor normal_ = weight_[0] - weight_[1];
  Classifier classifier_ = linear_classifier(
      weight_, torch::tensor({30.0f - to_float(images_).flatten(1).mv(normal_).mean().item<float>(), 0.0f}), kSide);
};

TEST_F(FixedBudget, LinfAttacksGainEpsTimesTheL1NormOfTheWeights) {
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  const double best = threat.eps * normal_.abs().sum().item<double>();
  for (const char* name : {"bim", "mi-fgsm", "apgd-ce", "apgd-dlr"}) {
    EXPECT_TRUE(is_close(gain(run(name, {}, threat)), torch::full({kImages}, best, torch::kFloat64), 1e-4)) << name;
  }
  EXPECT_TRUE(is_close(gain(run("apgd-t", {}, threat, false)), torch::full({kImages}, best, torch::kFloat64), 1e-4));
  AttackSettings across;  // from wherever it starts
  across.set("alpha", 2 * threat.eps);
  EXPECT_TRUE(is_close(gain(run("fgsm-rs", across, threat)), torch::full({kImages}, best, torch::kFloat64), 1e-4));
}

TEST_F(FixedBudget, GradientsAtScaledImagesAndAtNeighboursAreThoseAtTheImageItself) {
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  const auto plain = run("mi-fgsm", {}, threat);
  for (const auto& [name, value] : {std::pair{"scales", 4}, std::pair{"neighbours", 3}}) {
    AttackSettings settings;
    settings.set(name, value);
    EXPECT_TRUE(run("mi-fgsm", settings, threat).x_adv.equal(plain.x_adv)) << name;
  }
}

TEST_F(FixedBudget, ATranslationInvariantStepFollowsTheSmoothedWeights) {
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  AttackSettings settings;
  settings.set("steps", 1).set("translation", 3);
  const auto moved = (run("mi-fgsm", settings, threat).x_adv - to_float(images_)) / threat.eps;
  // Weights of a Gaussian at three standard deviations to each side.
  const double side = std::exp(-4.5) / (1 + 2 * std::exp(-4.5)), middle = 1 - 2 * side;
  const auto line = torch::tensor({side, middle, side}, torch::kFloat32);
  const auto map = at::conv2d(normal_.view({1, 1, kSide, kSide}), line.outer(line).view({1, 1, 3, 3}), {}, 1, 1);
  EXPECT_TRUE(is_close(moved, -map.sign().expand_as(moved), 1e-4));
  settings.set("translation", 4);
  EXPECT_THROW(run("mi-fgsm", settings, threat), UserError);
}

TEST_F(FixedBudget, WhatAnImageIsShownShrunkAsDoesNotDependOnTheOthers) {
  const ThreatModel threat{Norm::Linf, 3 / 255.0};
  AttackSettings settings;
  settings.set("diversity", 1).set("neighbours", 2).set("scales", 2);
  const auto attack = make_attack("mi-fgsm", settings, threat.norm, true);
  const auto all = make_input(classifier_, images_, true);
  const auto together = attack->run(classifier_, threat, all, Rng(1)).x_adv;
  EXPECT_FALSE(together.equal(run("mi-fgsm", {}, threat).x_adv));
  const AttackInput few{
      all.x.slice(0, 4), all.goal.select(torch::arange(4, kImages)), {all.index.begin() + 4, all.index.end()}};
  EXPECT_TRUE(attack->run(classifier_, threat, few, Rng(1)).x_adv.equal(together.slice(0, 4)));
}

TEST_F(FixedBudget, FgsmRsWithTheStepOfThePaperGainsSixSeventhsOfTheBest) {
  // From u in (-1, 1), a step of 1.25 ends at max(-1, u - 1.25): -0.86 on average.
  AttackSettings settings;
  settings.pixel_grid = false;
  settings.confidence = 2;
  const ThreatModel threat{Norm::Linf, 0.05};
  const auto share = gain(run("fgsm-rs", settings, threat)) / (threat.eps * normal_.abs().sum().item<double>());
  EXPECT_NEAR(share.mean().item<double>(), 0.86, 0.05);
}

TEST_F(FixedBudget, L2AttacksOffTheGridGainEpsTimesTheL2NormOfTheWeights) {
  const ThreatModel threat{Norm::L2, 0.2};
  AttackSettings settings;
  settings.pixel_grid = false;
  const auto best = torch::full({kImages}, threat.eps * normal_.norm().item<double>(), torch::kFloat64);
  for (const char* name : {"mi-fgsm", "apgd-ce", "apgd-dlr"}) {
    EXPECT_TRUE(is_close(gain(run(name, settings, threat)), best, 0, 1e-3)) << name;
  }
  EXPECT_TRUE(is_close(gain(run("apgd-t", settings, threat, false)), best, 0, 1e-3));
}

TEST_F(FixedBudget, L1AttacksPutNearlyAllIntoTheLargestWeight) {
  // One of 64 values is the 1 % that PGD moves at a time.
  const ThreatModel threat{Norm::L1, 0.3};
  AttackSettings settings;
  settings.pixel_grid = false;
  const auto best = torch::full({kImages}, threat.eps * normal_.abs().max().item<double>(), torch::kFloat64);
  for (const char* name : {"pgd", "apgd-ce", "apgd-dlr"}) {
    EXPECT_TRUE(is_close(gain(run(name, settings, threat)), best, 0, 0.03))
        << name << gain(run(name, settings, threat)) / best;
  }
  AttackSettings random = settings;
  random.set("random-start", true);
  EXPECT_TRUE(is_close(gain(run("apgd-ce", random, threat)), best, 0, 0.03))
      << gain(run("apgd-ce", random, threat)) / best;
}

TEST_F(FixedBudget, L1FillsThePixelsInTheOrderOfTheirWeightsWhenEachHasLittleRoom) {
  // From 0.6 to 0 or 1: a pixel moves by 0.4 or 0.6 at most, so the best takes the largest weights until eps is used.
  const auto x = torch::full({1, 1, kSide, kSide}, 153, torch::kUInt8);
  auto in = make_input(classifier_, x, true);
  const double eps = 4;
  const auto room = torch::where(normal_.gt(0), torch::full_like(normal_, 0.6), torch::full_like(normal_, 0.4));
  const auto order = normal_.abs().argsort(0, true);
  const auto sorted = room.index_select(0, order);
  const auto used = (eps - (sorted.cumsum(0) - sorted)).clamp_min(0).minimum(sorted);
  const double best = (used * normal_.abs().index_select(0, order)).sum().item<double>();
  AttackSettings settings;
  settings.pixel_grid = false;
  const auto result = make_attack("apgd-ce", settings, Norm::L1, true)->run(classifier_, {Norm::L1, eps}, in, Rng(1));
  const double gained = (margin(to_float(x)) - margin(result.x_adv)).item<double>();
  EXPECT_LE(gained, best * 1.0001);
  EXPECT_GT(gained, best * 0.97);
}

TEST_F(FixedBudget, ApgdHasItsLossInItsName) {
  AttackSettings settings;
  settings.set("loss", "margin");
  try {
    make_attack("apgd-ce", settings, Norm::Linf, true);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "attack apgd-ce: loss=margin: must be ce");
  }
}

TEST_F(FixedBudget, ApgdTHasNoTargetedMode) {
  EXPECT_THROW(make_attack("apgd-t", {}, Norm::Linf, true), UserError);
}

/// The margin is set so that some of the images can be broken within eps, and some cannot.
TEST(FixedBudgetFewClasses, ApgdBreaksExactlyWhatCanBeBrokenWithTwoAndThreeClasses) {
  const auto images = test_images(12, kSide, 60, 190);
  const ThreatModel threat{Norm::Linf, 4 / 255.0};
  for (const int64_t classes : {2, 3}) {
    std::vector<int64_t> index(static_cast<size_t>(classes));
    std::iota(index.begin(), index.end(), 0);
    const auto weight = uniform_rows(Rng(8), index, {kSide * kSide});
    const auto logits = to_float(images).flatten(1).mm(weight.t());
    const auto classifier =
        linear_classifier(weight, logits.median().item<float>() - std::get<0>(logits.median(0)), kSide);
    const auto in = make_input(classifier, images, false);
    const auto clean = classifier.logits(in.x);
    const auto y = in.goal.labels();
    // Class k overtakes y when its margin is below eps |w_y - w_k|_1.
    const auto dual = (weight.index_select(0, y).unsqueeze(1) - weight.unsqueeze(0)).abs().sum(2) * threat.eps;
    const auto margins = clean.gather(1, y.unsqueeze(1)) - clean;
    const auto breakable = margins.lt(dual).any(1);
    ASSERT_TRUE(breakable.any().item<bool>() && !breakable.all().item<bool>());
    for (const std::string name : {"apgd-ce", "apgd-dlr", "apgd-t"}) {
      const auto result = make_attack(name, {}, Norm::Linf, false)->run(classifier, threat, in, Rng(1));
      EXPECT_FALSE(result.success.logical_and(breakable.logical_not()).any().item<bool>()) << name;
      // Of two rivals the untargeted losses may head for the wrong one; APGD-T tries both.
      if (classes == 2 || name == "apgd-t") {
        EXPECT_TRUE(result.success.equal(breakable)) << name << " " << classes;
      }
    }
  }
}

TEST(FixedBudgetTargets, ApgdReachesTheTargetAndNoOtherClassCounts) {
  const auto classifier = reference_model("std");
  const auto images = reference_images("24");
  const auto input = reference_input(images, 4);
  for (const char* name : {"apgd-ce", "apgd-dlr"}) {
    AttackSettings settings;
    settings.set("steps", 20);
    const auto result =
        make_attack(name, settings, Norm::Linf, true)->run(classifier, {Norm::Linf, 8 / 255.0}, input, Rng(1));
    EXPECT_TRUE(result.success.equal(result.logits.argmax(1).eq(4))) << name;
    EXPECT_GE(result.success.sum().item<int64_t>(), 22) << name;
  }
}

}  // namespace

}  // namespace fercli::test
