#include "eval/measures/distributions.hpp"

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <stdexcept>

namespace fercli {

double binomial_half_cdf(int64_t k, int64_t n) {
  if (k >= n) return 1;
  return boost::math::ibeta(static_cast<double>(n - k), static_cast<double>(k + 1), 0.5);
}

double clopper_pearson_lower(int64_t successes, int64_t n, double alpha) {
  if (n < 1 || successes < 0 || successes > n || !(alpha > 0) || !(alpha < 1)) {
    throw std::invalid_argument("clopper_pearson_lower: needs 0 <= successes <= n, n >= 1 and 0 < alpha < 1");
  }
  if (successes == 0) return 0;
  return boost::math::ibeta_inv(static_cast<double>(successes), static_cast<double>(n - successes + 1), alpha);
}

double mid_p_lower(int64_t successes, int64_t n, double alpha) {
  if (n < 1 || successes < 0 || successes > n || !(alpha > 0) || !(alpha < 0.5)) {
    throw std::invalid_argument("mid_p_lower: needs 0 <= successes <= n, n >= 1 and 0 < alpha < 1/2");
  }
  if (successes == 0) return 0;
  const auto k = static_cast<double>(successes), trials = static_cast<double>(n);
  const auto tail = [&](double p) {
    const double more = successes < n ? boost::math::ibeta(k + 1, trials - k, p) : 0;
    return (boost::math::ibeta(k, trials - k + 1, p) + more) / 2;
  };
  double low = 0, high = 1;
  constexpr int kHalvings = 50;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (tail(middle) < alpha ? low : high) = middle;
  }
  return low;
}

double normal_quantile(double p) {
  return -std::sqrt(2.0) * boost::math::erfc_inv(2 * p);
}

}  // namespace fercli
