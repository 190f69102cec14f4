#include "eval/campaign/estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/clock.hpp"
#include "core/numbers.hpp"
#include "core/progress.hpp"

namespace fercli {

namespace {

constexpr int64_t kFirst = 1;          ///< alone: one that survives AutoAttack may take minutes
constexpr int64_t kTogether = 4;       ///< as a campaign's smallest group
constexpr size_t kLeastGroups = 3;     ///< for an interval
constexpr double kOf95Percent = 1.96;  ///< standard errors
constexpr double kSecondsPerHour = 3600;

/// The places to attack, in the order of their keys: a sample that does not depend on the order of the images.
std::vector<int64_t> places_by_key(const Ledger& ledger, const Dataset& images) {
  const auto keys = image_keys(images.select(ledger.rows).images);
  std::vector<int64_t> places;
  for (int64_t place = 0; place < ledger.size(); ++place) {
    if (ledger.attacked[place].item<bool>()) places.push_back(place);
  }
  std::stable_sort(places.begin(), places.end(), [&](int64_t one, int64_t other) {
    return keys[static_cast<size_t>(one)] < keys[static_cast<size_t>(other)];
  });
  return places;
}

/// Mean of the values, and half the width of its 95 % interval.
std::pair<double, double> mean_and_half_width(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  if (values.size() < kLeastGroups) return {mean, kInfinity};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, kOf95Percent * std::sqrt(squares / (n - 1) / n)};
}

}  // namespace

CampaignEstimate estimate_campaign(const Bench& bench, const Trial& trial, double budget, Observer& observer) {
  const Ledger whole = begin_campaign(bench, trial, {}, Observer::none());
  const auto places = places_by_key(whole, bench.images);
  CampaignEstimate estimate;
  estimate.images = static_cast<int64_t>(places.size());
  const auto start = Clock::now();
  std::vector<double> per_image;
  while (estimate.sampled < estimate.images && (per_image.empty() || seconds_since(start) < budget)) {
    const auto first = places.begin() + estimate.sampled;
    const int64_t together = per_image.empty() ? kFirst : kTogether;
    const std::vector<int64_t> group(first, first + std::min(together, estimate.images - estimate.sampled));
    const auto begun = Clock::now();
    continue_campaign(bench, trial, whole.select(torch::tensor(group, torch::kInt64)), {}, observer);
    per_image.push_back(seconds_since(begun) / static_cast<double>(group.size()));
    estimate.sampled += static_cast<int64_t>(group.size());
  }
  if (per_image.empty()) return estimate;
  const auto [mean, half] = mean_and_half_width(per_image);
  const auto n = static_cast<double>(estimate.images);
  estimate.seconds = n * mean;
  estimate.low = estimate.sampled == estimate.images ? estimate.seconds : n * std::max(0.0, mean - half);
  estimate.high = estimate.sampled == estimate.images ? estimate.seconds : n * (mean + half);
  return estimate;
}

std::string describe_cost(double seconds, double serial, int64_t threads) {
  const auto cores = static_cast<double>(threads);
  std::string text = fmt::format("{:.2g} core-hours", seconds * cores / kSecondsPerHour);
  std::string before = "; ";
  for (const int64_t processes : {2, 8, 64}) {
    const double taken = serial + (seconds - serial) * cores / static_cast<double>(processes);
    text += fmt::format("{}{}{} about {}", before, processes, processes == 2 ? " processes of one thread take" : "",
                        format_duration(taken));
    before = ", ";
  }
  return text;
}

}  // namespace fercli
