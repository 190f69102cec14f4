#include "eval/measures/group_tests.hpp"

#include <algorithm>
#include <cmath>

#include "core/numbers.hpp"

namespace fercli {

namespace {

constexpr double kEquallyProbable = 1 + 1e-7;  // rounding must not tell tables of one probability apart

double log_choose(int64_t n, int64_t k) {
  const auto log_factorial = [](int64_t m) { return std::lgamma(static_cast<double>(m) + 1); };
  return log_factorial(n) - log_factorial(k) - log_factorial(n - k);
}

/// Best minus worst accuracy.
double gap_of(const std::vector<GroupCount>& groups) {
  double low = kInfinity, high = -kInfinity;
  for (const auto& group : groups) {
    const double accuracy = static_cast<double>(group.right) / static_cast<double>(group.n);
    low = std::min(low, accuracy);
    high = std::max(high, accuracy);
  }
  return high - low;
}

}  // namespace

double fisher_exact(const GroupCount& one, const GroupCount& other) {
  if (one.n == 0 || other.n == 0) return 1;
  const int64_t n = one.n + other.n, right = one.right + other.right;
  const auto log_probability = [&](int64_t first) {
    return log_choose(one.n, first) + log_choose(other.n, right - first) - log_choose(n, right);
  };
  const double observed = std::exp(log_probability(one.right)) * kEquallyProbable;
  double sum = 0;
  for (int64_t first = std::max<int64_t>(0, right - other.n); first <= std::min(right, one.n); ++first) {
    const double probability = std::exp(log_probability(first));
    if (probability <= observed) sum += probability;
  }
  return std::min(1.0, sum);
}

double largest_gap_test(const std::vector<GroupCount>& groups, int64_t draws, const Rng& rng) {
  std::vector<size_t> group_of;
  int64_t right = 0;
  for (size_t k = 0; k < groups.size(); ++k) {
    group_of.insert(group_of.end(), static_cast<size_t>(groups[k].n), k);
    right += groups[k].right;
  }
  constexpr double kTie = 1e-12;
  const double observed = gap_of(groups) - kTie;
  int64_t as_far = 1;
  for (int64_t draw = 0; draw < draws; ++draw) {
    Rng stream = rng.split(static_cast<uint64_t>(draw));
    auto drawn = groups;
    for (auto& group : drawn) group.right = 0;
    // The first `right` places of a shuffle: who is right, if it had nothing to do with the group.
    auto order = group_of;
    const auto n = static_cast<int64_t>(order.size());
    for (int64_t i = 0; i < right; ++i) {
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(i + stream.below(n - i))]);
      ++drawn[order[static_cast<size_t>(i)]].right;
    }
    as_far += gap_of(drawn) >= observed;
  }
  return static_cast<double>(as_far) / static_cast<double>(draws + 1);
}

Metric group_difference(const GroupCount& one, const GroupCount& other) {
  if (one.n == 0 || other.n == 0) return {kNaN, {kNaN, kNaN}, 0};
  const Metric a = proportion(one.right, one.n), b = proportion(other.right, other.n);
  const double difference = a.value - b.value;
  return {difference,
          {difference - std::hypot(a.value - a.interval.low, b.interval.high - b.value),
           difference + std::hypot(a.interval.high - a.value, b.value - b.interval.low)},
          one.n + other.n};
}

}  // namespace fercli
