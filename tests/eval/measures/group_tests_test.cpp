#include "eval/measures/group_tests.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace fercli {

namespace {

TEST(FisherExact, IsTheLadyWhoTastesTea) {
  EXPECT_NEAR(fisher_exact({3, 4}, {1, 4}), 34.0 / 70, 1e-12);
  EXPECT_NEAR(fisher_exact({4, 4}, {0, 4}), 2.0 / 70, 1e-12);
}

TEST(FisherExact, AgreesWithAKnownTable) {
  EXPECT_NEAR(fisher_exact({1, 10}, {11, 14}), 0.002759456, 1e-8);
}

TEST(FisherExact, SeesNothingInEqualOrEmptyGroups) {
  EXPECT_NEAR(fisher_exact({5, 10}, {5, 10}), 1, 1e-12);
  EXPECT_EQ(fisher_exact({0, 0}, {5, 10}), 1);
}

TEST(LargestGap, OfTwoGroupsIsAsFishersTest) {
  EXPECT_NEAR(largest_gap_test({{1, 10}, {11, 14}}, 9999, Rng(1)), 0.002759456, 0.002);
}

TEST(LargestGap, CountsThatBestAndWorstWereChosen) {
  const std::vector<GroupCount> groups{{18, 20}, {14, 20}, {15, 20}, {16, 20}, {12, 20}};
  const double of_pair = fisher_exact({18, 20}, {12, 20}), of_all = largest_gap_test(groups, 9999, Rng(1));
  EXPECT_GT(of_all, 2 * of_pair);
  EXPECT_LT(of_all, 1);
}

TEST(LargestGap, IsRarelySmallWhereThereIsNone) {
  Rng rng(3);
  int small = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<GroupCount> groups(3);
    for (auto& group : groups)
      for (group.n = 0; group.n < 30; ++group.n) group.right += rng.chance(0.7);
    small += largest_gap_test(groups, 199, rng.split(static_cast<uint64_t>(trial))) <= 0.05;
  }
  EXPECT_LE(small, 19);  // of 200 at 5 %: more than 18 once in 100
}

TEST(GroupDifference, HasNewcombesInterval) {
  const Metric difference = group_difference({56, 70}, {48, 80});  // his example (a)
  EXPECT_NEAR(difference.value, 0.2, 1e-12);
  EXPECT_NEAR(difference.interval.low, 0.0524, 1e-4);
  EXPECT_NEAR(difference.interval.high, 0.3339, 1e-4);
  EXPECT_TRUE(std::isnan(group_difference({0, 0}, {1, 2}).value));
}

}  // namespace

}  // namespace fercli
