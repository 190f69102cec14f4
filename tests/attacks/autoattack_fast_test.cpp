#include <gtest/gtest.h>

#include "attacks/engine/attack.hpp"
#include "attacks/engine/findings.hpp"
#include "attacks/threat/losses.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16, kPixels = kSide * kSide;

AttackResult run_fast(const Classifier& classifier, double eps, const AttackInput& input, AttackSettings settings = {},
                      Norm norm = Norm::Linf) {
  return make_attack("autoattack-fast", settings, norm, false)->run(classifier, {norm, eps}, input, Rng(0));
}

torch::Tensor drawn_weight(int64_t classes) {
  return uniform_rows(Rng(3), {0}, {classes, kPixels})[0];
}

TEST(AutoAttackFast, FindsAllThatCanBeFoundOnALinearNetworkAndNothingElse) {
  for (const int64_t classes : {2, 3, 7}) {
    const auto weight = drawn_weight(classes);
    const Classifier classifier = linear_classifier(weight, torch::zeros({classes}), kSide);
    const auto input = make_input(classifier, test_images(12, kSide, 100, 150), false);
    const auto logits = classifier.logits(input.x), label = input.goal.labels();
    // Far from black and white, Linf moves the margin to a class by eps |w_y - w_t|_1. From four classes on the loss
    // has a denominator, and its slope is not that of the margin.
    const auto reach = (weight.index_select(0, label).unsqueeze(1) - weight).abs().sum(2);
    const auto margin = (logits.gather(1, label.unsqueeze(1)) - logits) / reach;
    const auto nearest = std::get<0>(margin.nan_to_num(1e9, 1e9, 1e9).scatter(1, label.unsqueeze(1), 1e9).min(1));
    const double eps = nearest.median().item<double>() + 1e-5;
    AttackSettings settings;
    settings.pixel_grid = false;
    const auto found = run_fast(classifier, eps, input, settings);
    EXPECT_TRUE(found.success.masked_select(nearest.lt((classes < 4 ? 0.999 : 0.95) * eps)).all().item<bool>())
        << classes;
    EXPECT_FALSE(found.success.masked_select(nearest.gt(1.001 * eps)).any().item<bool>()) << classes;
    EXPECT_TRUE(found.success.any().item<bool>()) << classes;
    EXPECT_FALSE(found.success.all().item<bool>()) << classes;
  }
}

/// Class 1 has the second largest logit and hardly a slope towards it; class 2 lies lower, and the way there is short.
TEST(AutoAttackFast, HeadsForTheClassWhoseBoundaryIsNearNotForTheLargestLogit) {
  auto weight = torch::zeros({3, kPixels});
  weight[1].fill_(-0.001f);
  weight[2].fill_(1.0f);
  const auto input_of = [](const Classifier& classifier) {
    return make_input(classifier, test_images(4, kSide, 120, 130), false);
  };
  const Classifier level = linear_classifier(weight, torch::zeros({3}), kSide);
  const auto sums = level.logits(input_of(level).x).select(1, 2);
  const float gap = sums.max().item<float>() + 1;
  const Classifier classifier = linear_classifier(weight, torch::tensor({0.4f, 0.25f, -gap}), kSide);
  const auto input = input_of(classifier);
  const auto logits = classifier.logits(input.x);
  ASSERT_TRUE(logits.argmax(1).eq(0).all().item<bool>());
  ASSERT_TRUE(logits.select(1, 1).gt(logits.select(1, 2)).all().item<bool>());
  const double eps = ((logits.select(1, 0) - logits.select(1, 2)) / kPixels).max().item<double>() * 1.05;
  AttackSettings settings;
  settings.pixel_grid = false;
  settings.set("targets", 1);
  EXPECT_TRUE(run_fast(classifier, eps, input, settings).success.all().item<bool>());
  const auto by_logits =
      make_attack("apgd-t", settings, Norm::Linf, false)->run(classifier, {Norm::Linf, eps}, input, Rng(0));
  EXPECT_FALSE(by_logits.success.any().item<bool>());
}

/// On a linear network of two classes the margin falls by the same for every image, and is at its lowest soon.
TEST(AutoAttackFast, GivesUpOnImagesWhoseMarginIsMoreThanItsShareOfWhatItFell) {
  const auto weight = drawn_weight(2);
  const Classifier classifier = linear_classifier(weight, torch::zeros({2}), kSide);
  const auto all = make_input(classifier, test_images(1, kSide, 100, 150), false);
  const auto logits = classifier.logits(all.x);
  const double margin = (logits[0][0] - logits[0][1]).abs().item<double>();
  const double reach = (weight[0] - weight[1]).abs().sum().item<double>();
  AttackSettings settings;
  settings.pixel_grid = false;
  const auto passes = [&](double share_left, double patience) {
    settings.own["autoattack-fast"]["patience"] = fmt::format("{}", patience);
    const double eps = margin / reach / (1 + share_left);  // the margin left is that share of what it fell
    const auto found = run_fast(classifier, eps, all, settings);
    EXPECT_FALSE(found.success.any().item<bool>());
    EXPECT_TRUE(found.logits.equal(classifier.logits(found.x_adv)));
    return found.forward;
  };
  // The original twice, 20 steps and their end off the grid, the verdict.
  const int64_t given_up = passes(0.3, 0.25);
  EXPECT_LE(given_up, 25);
  EXPECT_EQ(passes(2, 0.25), given_up);
  EXPECT_GE(passes(0.2, 0.25), given_up + 99);
  EXPECT_GE(passes(0.3, 0.4), given_up + 99);
  EXPECT_EQ(passes(0.01, 0), given_up);
}

/// What it breaks is broken; what it leaves is nearly what AutoAttack leaves.
TEST(AutoAttackFast, AgreesWithAutoAttackOnMostImagesOfASmallNetworkAtAFractionOfTheCost) {
  const Classifier classifier = confident_cnn(kSide);
  const auto input = make_input(classifier, test_images(24, kSide, 0, 255), false);
  AttackSettings standard;
  standard.set("queries", 100);
  for (const auto& threat : {ThreatModel{Norm::Linf, 3 / 255.0}, ThreatModel{Norm::L2, 0.15}}) {
    const auto slow = make_attack("autoattack", standard, threat.norm, false)->run(classifier, threat, input, Rng(0));
    const auto fast = run_fast(classifier, threat.eps, input, {}, threat.norm);
    EXPECT_LE(fast.success.ne(slow.success).sum().item<int64_t>(), 1) << to_string(threat.norm);
    EXPECT_LT(2 * (fast.forward + fast.backward), slow.forward + slow.backward) << to_string(threat.norm);
    const auto left = fast.success.logical_not().sum().item<int64_t>();
    EXPECT_GT(left, 0) << to_string(threat.norm);
    EXPECT_LT(left, 24) << to_string(threat.norm);
    EXPECT_TRUE(fast.success.equal(input.goal.reached(classifier.logits(fast.x_adv))));
    EXPECT_LE(fast.stage.max().item<int64_t>(), 1);
  }
}

}  // namespace

}  // namespace fercli::test
