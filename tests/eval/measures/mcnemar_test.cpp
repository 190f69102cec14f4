#include "eval/measures/mcnemar.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST(PairedOutcomes, ShowBothAccuraciesInJson) {
  const auto json = to_json(PairedOutcomes{60, 10, 2, 28});
  EXPECT_EQ(json.at("first").at("value"), 0.7);
  EXPECT_EQ(json.at("second").at("value"), 0.62);
  EXPECT_EQ(json.at("p"), mcnemar_exact(10, 2));
}

TEST(Holm, CorrectsEachTestForThoseThatAreNotSmaller) {
  auto tests = nlohmann::json::parse(R"([{"p": 0.04}, {"p": 0.01}, {"p": 0.03}, {"p": 0.5}])");
  add_holm(tests);
  EXPECT_NEAR(tests[1].at("p_holm").get<double>(), 0.04, 1e-12);
  EXPECT_NEAR(tests[2].at("p_holm").get<double>(), 0.09, 1e-12);
  EXPECT_NEAR(tests[0].at("p_holm").get<double>(), 0.09, 1e-12);  // 0.08, but not below a smaller p's
  EXPECT_NEAR(tests[3].at("p_holm").get<double>(), 0.5, 1e-12);
}

TEST(PairedOutcomes, AreNullWithoutCommonImages) {
  const auto json = to_json(pair_outcomes({{"a", true}}, {{"b", true}}));
  EXPECT_TRUE(json.at("difference").at("value").is_null());
  EXPECT_EQ(json.at("n"), 0);
}

}  // namespace

}  // namespace fercli
