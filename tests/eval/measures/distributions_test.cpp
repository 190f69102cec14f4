#include "eval/measures/distributions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace fercli {

namespace {

/// P(B >= k) for B binomial, added up.
double upper_tail(int64_t k, int64_t n, double p) {
  double sum = 0;
  for (int64_t i = k; i <= n; ++i) {
    sum += std::exp(std::lgamma(n + 1.0) - std::lgamma(i + 1.0) - std::lgamma(n - i + 1.0) + i * std::log(p) +
                    (n - i) * std::log1p(-p));
  }
  return sum;
}

TEST(ClopperPearson, IsTheTextbookBoundForEightOfTen) {
  EXPECT_NEAR(clopper_pearson_lower(8, 10, 0.025), 0.4439, 5e-5);
}

TEST(ClopperPearson, IsARootOfAlphaWhenAllSucceed) {
  EXPECT_NEAR(clopper_pearson_lower(1000, 1000, 0.001), std::pow(0.001, 1.0 / 1000), 1e-12);
}

TEST(ClopperPearson, MakesWhatWasSeenAsRareAsAlpha) {
  for (const int64_t successes : {1, 600, 950, 999}) {
    const double bound = clopper_pearson_lower(successes, 1000, 0.001);
    EXPECT_NEAR(upper_tail(successes, 1000, bound), 0.001, 1e-9) << successes;
  }
}

TEST(ClopperPearson, IsZeroWithoutSuccesses) {
  EXPECT_EQ(clopper_pearson_lower(0, 10, 0.05), 0);
}

TEST(ClopperPearson, RejectsMoreSuccessesThanTrials) {
  EXPECT_THROW(clopper_pearson_lower(11, 10, 0.05), std::invalid_argument);
}

TEST(MidP, CountsHalfOfWhatWasSeen) {
  for (const int64_t successes : {1, 600, 950, 999}) {
    const double bound = mid_p_lower(successes, 1000, 0.025);
    const double tail = (upper_tail(successes, 1000, bound) + upper_tail(successes + 1, 1000, bound)) / 2;
    EXPECT_NEAR(tail, 0.025, 1e-9) << successes;
  }
  EXPECT_NEAR(mid_p_lower(5, 5, 0.025), std::pow(0.05, 0.2), 1e-12);  // of n of n: p^n / 2 = alpha
  EXPECT_EQ(mid_p_lower(0, 10, 0.025), 0);
  EXPECT_THROW(mid_p_lower(11, 10, 0.025), std::invalid_argument);
}

TEST(NormalQuantile, KnowsTheFamiliarNumbers) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-11);
}

TEST(BinomialHalf, AddsUpTheRowOfPascalsTriangle) {
  EXPECT_NEAR(binomial_half_cdf(3, 10), (1 + 10 + 45 + 120) / 1024.0, 1e-14);
  EXPECT_EQ(binomial_half_cdf(10, 10), 1);
  EXPECT_EQ(binomial_half_cdf(0, 0), 1);
}

}  // namespace

}  // namespace fercli
