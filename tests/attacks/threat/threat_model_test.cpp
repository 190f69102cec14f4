#include "attacks/threat/threat_model.hpp"

#include "attacks/threat/losses.hpp"
#include "core/error.hpp"

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

TEST(GoalLossTest, AnUnknownLossIsNamed) {
  try {
    find_goal_loss("margn");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "unknown attack loss 'margn'; did you mean margin? (known: ce, dlr, margin)");
  }
}

}  // namespace

}  // namespace fercli::test
