#include "attacks/engine/transfer.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// No probability reaches it: the search goes on to the end of its budget.
constexpr double kNeverSure = 2;

}  // namespace

AttackSettings transfer_settings(AttackSettings settings) {
  if (settings.confidence == 0) settings.confidence = kNeverSure;
  if (!settings.nearest) settings.nearest = false;
  return settings;
}

Goal goal_on_surrogate(const Goal& goal, const LabelSet& from, const LabelSet& to) {
  const auto labels = torch::tensor(to.mapping_from(from), torch::kInt64).index_select(0, goal.labels());
  if (labels.numel() > 0 && labels.min().item<int64_t>() < 0) {
    const int64_t missing = goal.labels().masked_select(labels.lt(0))[0].item<int64_t>();
    throw UserError(fmt::format("--surrogate: the network has no class {} (it has {})", from.name(missing),
                                join(to.names(), ", ")));
  }
  return goal.is_targeted() ? Goal::targeted(labels) : Goal::untargeted(labels);
}

void show_transferred(const Classifier& classifier, Norm norm, bool pixel_grid, const AttackInput& input,
                      AttackResult& result) {
  const Classifier judge = classifier.with_precision(Precision::Float32);
  const int64_t forwards = classifier.forwards();
  const auto before = judge.logits(input.x);
  const auto there = input.goal.reached(before);
  result.x_adv = torch::where(there.view({-1, 1, 1, 1}), input.x, result.x_adv);
  result.logits = torch::where(there.unsqueeze(1), before, judge.logits(result.x_adv));
  result.success = input.goal.reached(result.logits);
  result.float_success = result.success;
  result.distance = distances(result.x_adv, input.x, norm, pixel_grid);
  result.forward += classifier.forwards() - forwards;
}

}  // namespace fercli
