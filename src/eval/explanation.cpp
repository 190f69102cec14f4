#include "eval/explanation.hpp"

#include <algorithm>

#include "core/numbers.hpp"
#include "core/random.hpp"
#include "core/tensor_list.hpp"

namespace fercli {

namespace {

constexpr int64_t kBootstrapDraws = 2000;
constexpr double kBootstrapTail = 0.025;  ///< of a 95 % interval, at each end

/// The shares of one sample of the images: `images` are places in the rows of `distances` and in `best`.
std::vector<double> optimality_shares(const std::vector<std::vector<double>>& distances,
                                      const std::vector<double>& best, const std::vector<size_t>& images) {
  double most = 0, whole = 0;
  for (const size_t i : images) most = std::max(most, best[i]);
  for (const size_t i : images) whole += most - best[i];
  std::vector<double> shares;
  for (const auto& of_attack : distances) {
    double area = 0;
    for (const size_t i : images) area += most - std::min(of_attack[i], most);
    shares.push_back(whole > 0 ? area / whole : kNaN);
  }
  return shares;
}

/// Of values with NaN among them, which are left out.
Interval percentile_interval(std::vector<double> values) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double value) { return std::isnan(value); }),
               values.end());
  if (values.empty()) return {kNaN, kNaN};
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return {values[static_cast<size_t>(std::floor(kBootstrapTail * last))],
          values[static_cast<size_t>(std::ceil((1 - kBootstrapTail) * last))]};
}

}  // namespace

std::vector<StageReport> stage_reports(const AttackRecord& record, const std::vector<Budget>& ladder) {
  std::vector<StageReport> reports;
  for (int64_t run = 0; run < record.runs(); ++run) {
    const auto broken = record.minimum_norm ? record.success() : record.broken.eq(run);
    const auto stages = record.stage.masked_select(broken);
    const auto& eps = record.minimum_norm ? ladder.back() : ladder[static_cast<size_t>(run)];
    for (size_t s = 0; s < record.stages.size(); ++s) {
      const StageCost& cost = record.cost[static_cast<size_t>(run)][s];
      if (cost.images == 0) continue;
      const auto found = stages.eq(static_cast<int64_t>(s)).sum().item<int64_t>();
      reports.push_back({record.name, eps.text, record.stages[s], cost.images, found, cost.forward, cost.backward});
    }
  }
  return reports;
}

shape::Members explanation_members() {
  return {{"stages", shape::described(Shape<std::vector<StageReport>>::schema(),
                                      "of the attacks: what each found and cost at each eps")},
          {"optimality", shape::described(Shape<std::vector<AttackOptimality>>::schema(),
                                          "of minimum-norm attacks, where two or more were run")}};
}

std::vector<Metric> local_optimality(const std::vector<std::vector<double>>& distances) {
  std::vector<double> best = distances.at(0);
  for (const auto& of_attack : distances) {
    for (size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], of_attack.at(i));
  }
  std::vector<size_t> images;
  for (size_t i = 0; i < best.size(); ++i) {
    if (std::isfinite(best[i])) images.push_back(i);
  }
  std::vector<std::vector<double>> drawn(distances.size());
  auto rng = Rng(0).split("optimality");
  for (int64_t draw = 0; draw < kBootstrapDraws && !images.empty(); ++draw) {
    std::vector<size_t> sample;
    for (size_t i = 0; i < images.size(); ++i) {
      sample.push_back(images[static_cast<size_t>(rng.below(static_cast<int64_t>(images.size())))]);
    }
    const auto shares = optimality_shares(distances, best, sample);
    for (size_t a = 0; a < shares.size(); ++a) drawn[a].push_back(shares[a]);
  }
  const auto shares = optimality_shares(distances, best, images);
  std::vector<Metric> metrics;
  for (size_t a = 0; a < shares.size(); ++a) {
    metrics.push_back({shares[a], percentile_interval(drawn[a]), static_cast<int64_t>(images.size())});
  }
  return metrics;
}

std::vector<AttackOptimality> optimality_of(const Ledger& ledger) {
  const auto& records = ledger.attacks;
  if (std::count_if(records.begin(), records.end(), [](const auto& record) { return record.minimum_norm; }) < 2) {
    return {};
  }
  std::vector<std::vector<double>> distances;
  for (const auto& record : records) {
    distances.push_back(list_of<double>(record.distance.masked_select(ledger.right())));
  }
  const auto metrics = local_optimality(distances);
  std::vector<AttackOptimality> entries;
  for (size_t a = 0; a < metrics.size(); ++a) {
    if (records[a].minimum_norm) entries.push_back({records[a].name, metrics[a]});
  }
  return entries;
}

}  // namespace fercli
