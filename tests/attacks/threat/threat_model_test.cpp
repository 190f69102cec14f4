#include "attacks/threat/threat_model.hpp"

#include "attacks/threat/losses.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "data/dataset.hpp"

namespace fercli::test {

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(GoalTest, TargetedIsReachedOnlyByTheTarget) {
  const auto logits = torch::tensor({{1.0f, 3.0f, 2.0f}, {3.0f, 1.0f, 2.0f}});
  EXPECT_TRUE(Goal::targeted(torch::tensor({1, 1})).reached(logits).equal(torch::tensor({true, false})));
}

TEST(GoalTest, UntargetedIsReachedByAnyOtherClass) {
  const auto logits = torch::tensor({{1.0f, 3.0f, 2.0f}, {3.0f, 1.0f, 2.0f}});
  EXPECT_TRUE(Goal::untargeted(torch::tensor({1, 1})).reached(logits).equal(torch::tensor({false, true})));
}

TEST(GoalTest, ATieIsWonByTheLowerClass) {
  const auto logits = torch::tensor({{2.0f, 2.0f, 1.0f}});
  EXPECT_FALSE(Goal::targeted(torch::tensor({1})).reached(logits).item<bool>());
  EXPECT_FALSE(Goal::untargeted(torch::tensor({0})).reached(logits).item<bool>());
}

TEST(GoalTest, LogitsThatAreNoNumbersReachNothing) {
  const auto logits = torch::tensor({{kNan, 2.0f, 1.0f}});
  EXPECT_FALSE(Goal::targeted(torch::tensor({0})).reached(logits).item<bool>());
  EXPECT_FALSE(Goal::untargeted(torch::tensor({1})).reached(logits).item<bool>());
}

TEST(ThreatModelTest, RowNormsAreThoseOfEachImage) {
  const auto delta = torch::tensor({3.0f, 0.0f, -4.0f, 0.0f, 1.0f, 1.0f, 1.0f, 1.0f}).view({2, 1, 2, 2});
  EXPECT_TRUE(row_norms(delta, Norm::Linf).equal(torch::tensor({4.0, 1.0}, torch::kFloat64)));
  EXPECT_TRUE(row_norms(delta, Norm::L2).equal(torch::tensor({5.0, 2.0}, torch::kFloat64)));
  EXPECT_TRUE(row_norms(delta, Norm::L1).equal(torch::tensor({7.0, 4.0}, torch::kFloat64)));
  EXPECT_TRUE(row_norms(delta, Norm::L0).equal(torch::tensor({2.0, 4.0}, torch::kFloat64)));
}

TEST(ThreatModelTest, AnUnknownNormIsNamed) {
  try {
    parse_norm("l7");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown norm 'l7' (known: linf, l2, l1, l0)");
  }
}

/// Central differences of the summed loss.
torch::Tensor numeric_gradient(GoalLossFunction loss, const torch::Tensor& logits, const Goal& goal) {
  auto gradient = torch::zeros_like(logits);
  for (int64_t k = 0; k < logits.size(1); ++k) {
    auto up = logits.clone(), down = logits.clone();
    up.select(1, k).add_(1e-3);
    down.select(1, k).sub_(1e-3);
    gradient.select(1, k).copy_((loss(up, goal).value - loss(down, goal).value) / 2e-3);
  }
  return gradient;
}

TEST(GoalLossTest, GradientsAreThoseOfTheValues) {
  const auto logits = torch::tensor({{1.0f, 3.0f, 2.0f, 0.5f}, {0.2f, -1.0f, 0.7f, 1.5f}}).to(torch::kFloat64);
  for (const auto& name : goal_loss_names()) {
    for (const auto& goal : {Goal::targeted(torch::tensor({2, 0})), Goal::untargeted(torch::tensor({1, 3}))}) {
      const auto loss = find_goal_loss(name);
      EXPECT_TRUE(loss(logits, goal).gradient.allclose(numeric_gradient(loss, logits, goal), 1e-5, 1e-6)) << name;
    }
  }
}

TEST(GoalLossTest, TheDifferenceOfLogitsRatioIsThatOfThePaper) {
  const auto logits = torch::tensor({{1.0f, 4.0f, 2.0f, 0.5f}});
  EXPECT_FLOAT_EQ(dlr_loss(logits, Goal::untargeted(torch::tensor({1}))).value.item<float>(), (4.0f - 2.0f) / 3.0f);
  const auto headed = targeted_dlr_loss(logits, torch::tensor({1}), torch::tensor({0}));
  EXPECT_FLOAT_EQ(headed.value.item<float>(), (4.0f - 1.0f) / (4.0f - 0.75f));
}

TEST(GoalLossTest, TheDifferenceOfLogitsRatioKnowsNoScaleAndNoShift) {
  const auto logits = torch::tensor({{1.0f, 4.0f, 2.0f, 0.5f}});
  for (const auto& goal : {Goal::targeted(torch::tensor({2})), Goal::untargeted(torch::tensor({1}))}) {
    const auto value = dlr_loss(logits, goal).value;
    EXPECT_TRUE(dlr_loss(logits * 7 + 3, goal).value.allclose(value, 1e-5));
  }
}

TEST(GoalLossTest, TheDifferenceOfLogitsRatioIsFiniteForTwoAndThreeClasses) {
  for (const auto& logits : {torch::tensor({{1.0f, 4.0f}}), torch::tensor({{1.0f, 4.0f, 2.0f}})}) {
    for (const auto& goal : {Goal::targeted(torch::tensor({0})), Goal::untargeted(torch::tensor({1}))}) {
      const auto loss = dlr_loss(logits, goal);
      EXPECT_GT(loss.value.item<float>(), 0);
      EXPECT_TRUE(loss.gradient.isfinite().all().item<bool>());
    }
  }
}

TEST(GoalLossTest, TheMarginIsNegativeExactlyWhereTheGoalIsReached) {
  const auto logits = torch::tensor({{1.0f, 3.0f, 2.0f}, {3.0f, 1.0f, 2.0f}});
  for (const auto& goal : {Goal::targeted(torch::tensor({1, 1})), Goal::untargeted(torch::tensor({1, 1}))}) {
    EXPECT_TRUE(margin_loss(logits, goal).value.lt(0).equal(goal.reached(logits)));
  }
}

TEST(GoalLossTest, TheCrossEntropyGradientDoesNotVanishOnVeryConfidentImages) {
  const auto logits = torch::tensor({{40.0f, 0.0f, -1.0f}});
  const auto gradient = cross_entropy_loss(logits, Goal::untargeted(torch::tensor({0}))).gradient;
  EXPECT_GT(gradient[0][0].item<float>(), 0);
}

TEST(GoalLossTest, TheCrossEntropyKeepsItsOrderAndItsGradientHoweverLargeTheLogits) {
  for (const bool targeted : {false, true}) {
    float last = -std::numeric_limits<float>::infinity();
    for (const float lead : {1e5f, 1e4f, 1e3f, 120.0f, 61.0f, 59.0f, 20.0f, 1.0f, 0.0f, -5.0f, -1e4f}) {
      // Untargeted, a smaller lead of the true class is nearer to the goal; so is, targeted, a smaller one of another.
      const auto logits = targeted ? torch::tensor({{lead, 0.0f}}) : torch::tensor({{lead, 0.0f}});
      const auto goal = targeted ? Goal::targeted(torch::tensor({0})) : Goal::untargeted(torch::tensor({0}));
      const auto loss = cross_entropy_loss(logits, goal);
      const float value = loss.value[0].item<float>();
      EXPECT_GT(targeted ? value : -value, last) << lead;
      last = targeted ? value : -value;
      const float slope = loss.gradient[0][0].item<float>();
      EXPECT_TRUE(targeted ? slope < 0 : slope > 0) << lead;
      EXPECT_TRUE(loss.gradient[0][0].item<float>() == -loss.gradient[0][1].item<float>()) << lead;
    }
  }
}

TEST(GoalLossTest, TheCrossEntropyIsThatOfTheTextbookWhereFloat32HoldsIt) {
  const auto logits = normal_rows(Rng(1), {1, 2, 3, 4, 5}, {7}) * 6;
  const auto labels = torch::tensor({0, 1, 2, 3, 4});
  const auto loss = cross_entropy_loss(logits, Goal::targeted(labels));
  const auto exact = logits.to(torch::kFloat64);
  const auto expected = exact.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1).neg();
  EXPECT_TRUE(loss.value.to(torch::kFloat64).allclose(expected, 1e-5, 1e-6));
  const auto gradient = exact.softmax(1) - torch::one_hot(labels, 7);
  EXPECT_TRUE(loss.gradient.to(torch::kFloat64).allclose(gradient, 1e-5, 1e-7));
}

TEST(GoalLossTest, ASoftmaxOfZeroAndOneIsSaidToBeSaturated) {
  const auto logits = torch::tensor({{2000.0f, 0.0f, -1.0f}, {20.0f, 0.0f, -1.0f}, {0.0f, 2000.0f, 0.0f}});
  const auto saturated = saturates_cross_entropy(logits, torch::tensor({0, 0, 0}));
  EXPECT_TRUE(saturated.equal(torch::tensor({true, false, false})));
}

TEST(Within, DistancesOf8BitImagesAreWholeLevels) {
  const auto x = to_float(torch::randint(0, 200, {3, 1, 8, 8}).to(torch::kUInt8));
  const auto moved = to_float(((x * 255).round() + 3).to(torch::kUInt8));
  EXPECT_EQ(distances(moved, x, Norm::Linf, true)[0].item<double>(), 3 / 255.0);
  EXPECT_EQ(distances(moved, x, Norm::L1, true)[0].item<double>(), 192 / 255.0);
  EXPECT_EQ(distances(moved, x, Norm::L2, true)[0].item<double>(), std::sqrt(64 * 9.0) / 255);
  EXPECT_EQ(distances(moved, x, Norm::L0, true)[0].item<double>(), 64);
}

TEST(Within, ForgivesTheLastBitsOfAFractionAndNothingElseOnThePixelGrid) {
  for (int64_t level = 1; level < 256; ++level) {
    const double distance = static_cast<double>(level) / 255;
    EXPECT_TRUE(within(distance, static_cast<double>(level) / 255, true));
    EXPECT_TRUE(within(distance, static_cast<double>(level) * (1 / 255.0), true));
    EXPECT_FALSE(within(distance, distance - 1e-9, true));
  }
  // 0.9001^2 is 52681.95 squared levels.
  EXPECT_TRUE(within(std::sqrt(52681) / 255, 0.9001, true));
  EXPECT_FALSE(within(std::sqrt(52682) / 255, 0.9001, true));
  EXPECT_FALSE(within(std::numeric_limits<double>::infinity(), 1, true));
}

TEST(Within, OffThePixelGridForgivesTheRoundingOfFloat32) {
  EXPECT_TRUE(within(8 / 255.0 + 1e-7, 8 / 255.0, false));
  EXPECT_FALSE(within(8 / 255.0 + 1e-5, 8 / 255.0, false));
}

TEST(InLevels, IsWhatEpsMeansForAn8BitImage) {
  EXPECT_EQ(in_levels(Norm::Linf, 8 / 255.0).most, 8);
  EXPECT_EQ(in_levels(Norm::Linf, 5.1 / 255).most, 5);
  EXPECT_EQ(in_levels(Norm::Linf, 0.03).most, 7);
  EXPECT_EQ(in_levels(Norm::L1, 0.03).most, 7);
  EXPECT_EQ(in_levels(Norm::L2, 0.9001).most, 52681);
  EXPECT_EQ(in_levels(Norm::L0, 2.9).most, 2);
}

TEST(InLevels, OnlyAnEpsThatIsCutIsWorthANote) {
  EXPECT_EQ(levels_note(Norm::Linf, "8/255", 8 / 255.0), "");
  EXPECT_EQ(levels_note(Norm::L2, "0.5", 0.5), "");
  EXPECT_EQ(levels_note(Norm::L1, "8", 8), "");
  EXPECT_EQ(levels_note(Norm::L0, "24", 24), "");
  EXPECT_EQ(levels_note(Norm::Linf, "5.1/255", 5.1 / 255),
            "eps 5.1/255 is 5 levels of 255: 8-bit images hold whole levels only");
  EXPECT_EQ(levels_note(Norm::Linf, "1.5/255", 1.5 / 255),
            "eps 1.5/255 is 1 level of 255: 8-bit images hold whole levels only");
  EXPECT_EQ(levels_note(Norm::L0, "2.9", 2.9), "eps 2.9 is 2 values: values are counted whole");
  EXPECT_NE(levels_note(Norm::L2, "0.005", 0.005), "");
}

TEST(GoalLossTest, AnUnknownLossIsNamed) {
  try {
    find_goal_loss("margn");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown attack loss 'margn'; did you mean margin? (known: ce, dlr, margin)");
  }
}

TEST(NormFacts, SayWhichEpsANormAllows) {
  EXPECT_EQ(eps_fault(Norm::Linf, "1", 1), "");
  EXPECT_EQ(eps_fault(Norm::Linf, "0.6", 0.6, facts_of(Norm::Linf).universal_most),
            "must be in (0, 0.5] in Linf; pixels are scaled to [0,1], did you mean 0.6/255?");
  EXPECT_EQ(eps_fault(Norm::L2, "30", 30), "");
  EXPECT_EQ(eps_fault(Norm::L0, "0.5", 0.5), "must be at least 1 in L0, the number of changed values");
  for (const auto& word : norm_words()) EXPECT_NO_THROW(parse_norm(word)) << word;
}

}  // namespace

}  // namespace fercli::test
