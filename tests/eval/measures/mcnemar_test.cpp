#include "eval/measures/mcnemar.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fercli {

namespace {

TEST(McNemar, IsTheBinomialTestOfTheImagesThatOneGetsRight) {
  EXPECT_NEAR(mcnemar_exact(10, 2), 2 * (1 + 12 + 66) / 4096.0, 1e-14);
  EXPECT_NEAR(mcnemar_exact(0, 6), 2 / 64.0, 1e-14);
}

TEST(McNemar, DoesNotCareWhichModelIsFirst) {
  EXPECT_EQ(mcnemar_exact(3, 11), mcnemar_exact(11, 3));
}

TEST(McNemar, SeesNothingWhereTheModelsAreEven) {
  EXPECT_EQ(mcnemar_exact(5, 5), 1);
  EXPECT_EQ(mcnemar_exact(0, 0), 1);
}

TEST(PairedOutcomes, CountsTheImagesThatBothHave) {
  const auto outcomes = pair_outcomes({{"a", true}, {"b", true}, {"c", false}, {"d", false}, {"only first", true}},
                                      {{"a", true}, {"b", false}, {"c", true}, {"d", false}, {"only second", true}});
  EXPECT_EQ(outcomes.both, 1);
  EXPECT_EQ(outcomes.only_first, 1);
  EXPECT_EQ(outcomes.only_second, 1);
  EXPECT_EQ(outcomes.neither, 1);
  EXPECT_EQ(outcomes.n(), 4);
}

TEST(PairedOutcomes, GiveTheDifferenceWithItsInterval) {
  const Metric difference = paired_difference({60, 10, 2, 28});
  EXPECT_NEAR(difference.value, 0.08, 1e-12);
  EXPECT_NEAR(difference.interval.low, 0.010842, 2e-6);
  EXPECT_NEAR(difference.interval.high, 0.146020, 2e-6);
  EXPECT_EQ(difference.n, 100);
}

TEST(PairedOutcomes, ShowBothAccuracies) {
  const auto figures = paired_figures({60, 10, 2, 28});
  EXPECT_EQ(figures.first.value, 0.7);
  EXPECT_EQ(figures.second.value, 0.62);
  EXPECT_EQ(figures.p, mcnemar_exact(10, 2));
}

TEST(Holm, CorrectsEachTestForThoseThatAreNotSmaller) {
  const auto corrected = holm({0.04, 0.01, 0.03, 0.5});
  EXPECT_NEAR(corrected[1], 0.04, 1e-12);
  EXPECT_NEAR(corrected[2], 0.09, 1e-12);
  EXPECT_NEAR(corrected[0], 0.09, 1e-12);  // 0.08, but not below a smaller p's
  EXPECT_NEAR(corrected[3], 0.5, 1e-12);
}

TEST(PairedOutcomes, AreNotANumberWithoutCommonImages) {
  const auto figures = paired_figures(pair_outcomes({{"a", true}}, {{"b", true}}));
  EXPECT_TRUE(std::isnan(figures.difference.value));
  EXPECT_EQ(figures.difference.n, 0);
}

}  // namespace

}  // namespace fercli
