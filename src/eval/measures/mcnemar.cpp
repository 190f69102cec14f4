#include "eval/measures/mcnemar.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/numbers.hpp"
#include "eval/measures/distributions.hpp"

namespace fercli {

namespace {

constexpr double kAdded = 0.5;  // to each of the four counts

}  // namespace

PairedOutcomes pair_outcomes(const std::map<std::string, bool>& first, const std::map<std::string, bool>& second) {
  PairedOutcomes outcomes;
  for (const auto& [id, right] : first) {
    const auto other = second.find(id);
    if (other == second.end()) continue;
    outcomes.both += right && other->second;
    outcomes.only_first += right && !other->second;
    outcomes.only_second += !right && other->second;
    outcomes.neither += !right && !other->second;
  }
  return outcomes;
}

double mcnemar_exact(int64_t only_first, int64_t only_second) {
  return std::min(1.0, 2 * binomial_half_cdf(std::min(only_first, only_second), only_first + only_second));
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> corrected(p.size());
  double largest = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, p[order[i]] * static_cast<double>(order.size() - i)));
    corrected[order[i]] = largest;
  }
  return corrected;
}

Metric paired_difference(const PairedOutcomes& outcomes) {
  const int64_t n = outcomes.n();
  if (n == 0) return {kNaN, {kNaN, kNaN}, 0};
  const double a = static_cast<double>(outcomes.only_first) + kAdded;
  const double b = static_cast<double>(outcomes.only_second) + kAdded;
  const double total = static_cast<double>(n) + 4 * kAdded, centre = (a - b) / total;
  const double half = normal_quantile(0.975) * std::sqrt(a + b - (a - b) * (a - b) / total) / total;
  return {static_cast<double>(outcomes.only_first - outcomes.only_second) / static_cast<double>(n),
          {std::max(-1.0, centre - half), std::min(1.0, centre + half)},
          n};
}

PairedFigures paired_figures(const PairedOutcomes& outcomes) {
  const int64_t n = outcomes.n();
  return {outcomes, proportion(outcomes.both + outcomes.only_first, n),
          proportion(outcomes.both + outcomes.only_second, n), paired_difference(outcomes),
          mcnemar_exact(outcomes.only_first, outcomes.only_second)};
}

}  // namespace fercli
