#pragma once

#include <cstdint>

namespace fercli {

/// P(B <= k) for B binomial with n trials of probability 1/2; 1 for k >= n.
double binomial_half_cdf(int64_t k, int64_t n);

/// The p for which P(B >= successes) = alpha, B binomial with n trials of probability p: with confidence 1 - alpha the
/// true probability is not below it (Clopper & Pearson, Biometrika 1934, one-sided; a quantile of the beta
/// distribution). 0 without successes. Throws std::invalid_argument unless 0 <= successes <= n, n >= 1, 0 < alpha < 1.
double clopper_pearson_lower(int64_t successes, int64_t n, double alpha);

/// The p for which P(B > successes) + P(B = successes) / 2 = alpha, B binomial with n trials of probability p (the
/// mid-P bound: Lancaster, JASA 1961; Berry & Armitage, The Statistician 1995). 0 without successes. Throws
/// std::invalid_argument unless 0 <= successes <= n, n >= 1, 0 < alpha < 1/2.
double mid_p_lower(int64_t successes, int64_t n, double alpha);

/// The inverse of the standard normal distribution function, 0 < p < 1.
double normal_quantile(double p);

}  // namespace fercli
