#include "train/collapse_watch.hpp"

#include <algorithm>

namespace fercli {

namespace {

constexpr double kCollapsedShare = 0.5;

}  // namespace

bool may_collapse(const TrainingLoss& loss, int64_t attack_steps) {
  return loss.attack && loss.attack->searches && loss.attack->learn_from == nullptr && attack_steps == 1;
}

bool has_collapsed(const std::vector<EpochRecord>& history, int64_t classes) {
  const double best = best_live_accuracy(history);
  return best > 1.0 / static_cast<double>(classes) &&
         history.back().robust->live_balanced_accuracy < kCollapsedShare * best;
}

double best_live_accuracy(const std::vector<EpochRecord>& history) {
  double best = 0;
  for (const auto& record : history) best = std::max(best, record.robust->live_balanced_accuracy);
  return best;
}

}  // namespace fercli
