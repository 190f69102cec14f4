#include "attacks/losses.hpp"

#include <fmt/format.h>

#include <limits>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

GoalLoss cross_entropy_loss(const torch::Tensor& logits, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1);
  const auto others = logits.softmax(1).scatter(1, label, 0.0);
  const auto gradient = others.scatter(1, label, -others.sum(1, true));
  const auto value = logits.log_softmax(1).gather(1, label).squeeze(1).neg();
  if (goal.is_targeted()) return {value, gradient};
  return {value.neg(), gradient.neg()};
}

GoalLoss margin_loss(const torch::Tensor& logits, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1);
  const auto rival = logits.scatter(1, label, -std::numeric_limits<double>::infinity()).argmax(1, true);
  const auto gradient = torch::zeros_like(logits).scatter(1, rival, 1.0).scatter(1, label, -1.0);
  const auto value = (logits.gather(1, rival) - logits.gather(1, label)).squeeze(1);
  if (goal.is_targeted()) return {value, gradient};
  return {value.neg(), gradient.neg()};
}

const std::vector<std::string>& goal_loss_names() {
  static const std::vector<std::string> names{"ce", "margin"};
  return names;
}

GoalLossFunction find_goal_loss(const std::string& name) {
  if (name == "ce") return cross_entropy_loss;
  if (name == "margin") return margin_loss;
  throw UserError(fmt::format("unknown attack loss '{}'{} (known: {})", name, did_you_mean(name, goal_loss_names()),
                              join(goal_loss_names(), ", ")));
}

}  // namespace fercli
