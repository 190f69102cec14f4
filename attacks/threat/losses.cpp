#include "attacks/threat/losses.hpp"

#include <fmt/format.h>

#include <limits>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// Keeps the quotient finite where all leading logits are equal, as in the paper's code.
constexpr double kTinyDenominator = 1e-12;
/// The least that the cross-entropy's gradient gives to all other classes together.
constexpr double kLeastMass = 1e-12;
/// ln of the odds below which the cross-entropy, e to this power, is only ordered as it should be.
constexpr double kTinyOdds = -60;

/// (z_upper - z_lower) / (z_1 - mean of the logits of these ranks, counted from 0); upper, lower: (N,1) int64. Without
/// the denominator when there are too few classes for it.
GoalLoss logit_ratio(const torch::Tensor& logits, const torch::Tensor& upper, const torch::Tensor& lower,
                     const std::vector<int64_t>& ranks) {
  const auto ones = torch::ones({logits.size(0), 1}, logits.options());
  const auto difference = logits.gather(1, upper) - logits.gather(1, lower);
  const auto difference_gradient = torch::zeros_like(logits).scatter_add(1, upper, ones).scatter_add(1, lower, -ones);
  if (logits.size(1) <= ranks.back()) return {difference.squeeze(1), difference_gradient};

  const auto order = logits.argsort(1, /*descending=*/true);
  const auto top = order.narrow(1, 0, 1);
  auto denominator = logits.gather(1, top) + kTinyDenominator;
  auto denominator_gradient = torch::zeros_like(logits).scatter(1, top, 1.0);
  const double share = 1.0 / static_cast<double>(ranks.size());
  for (const int64_t rank : ranks) {
    const auto place = order.narrow(1, rank, 1);
    denominator = denominator - logits.gather(1, place) * share;
    denominator_gradient = denominator_gradient.scatter_add(1, place, ones * -share);
  }
  const auto value = difference / denominator;
  return {value.squeeze(1), (difference_gradient - value * denominator_gradient) / denominator};
}

}  // namespace

GoalLoss cross_entropy_loss(const torch::Tensor& logits, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1);
  const auto others = logits.scatter(1, label, -std::numeric_limits<double>::infinity());
  // ln of the odds against the label: its sigmoid is the probability of all others, its softplus the cross-entropy.
  const auto odds = others.logsumexp(1, true) - logits.gather(1, label);
  const auto mass = odds.sigmoid().clamp_min(kLeastMass);
  const auto gradient = (others.softmax(1) * mass).scatter(1, label, -mass);
  const auto plain = torch::where(odds.gt(0), odds, torch::zeros_like(odds)) + odds.abs().neg().exp().log1p();
  const auto tiny = kTinyOdds / odds.clamp_max(kTinyOdds) * std::exp(kTinyOdds);
  const auto value = torch::where(odds.lt(kTinyOdds), tiny, plain).squeeze(1);
  if (goal.is_targeted()) return {value, gradient};
  return {value.neg(), gradient.neg()};
}

torch::Tensor saturates_cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels) {
  const auto others = logits.softmax(1).scatter(1, labels.unsqueeze(1), 0.0);
  return others.amax(1).eq(0);
}

GoalLoss margin_loss(const torch::Tensor& logits, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1);
  const auto rival = logits.scatter(1, label, -std::numeric_limits<double>::infinity()).argmax(1, true);
  const auto gradient = torch::zeros_like(logits).scatter(1, rival, 1.0).scatter(1, label, -1.0);
  const auto value = (logits.gather(1, rival) - logits.gather(1, label)).squeeze(1);
  if (goal.is_targeted()) return {value, gradient};
  return {value.neg(), gradient.neg()};
}

GoalLoss dlr_loss(const torch::Tensor& logits, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1);
  const auto rival = logits.scatter(1, label, -std::numeric_limits<double>::infinity()).argmax(1, true);
  return goal.is_targeted() ? logit_ratio(logits, rival, label, {2, 3}) : logit_ratio(logits, label, rival, {2});
}

GoalLoss targeted_dlr_loss(const torch::Tensor& logits, const torch::Tensor& y, const torch::Tensor& target) {
  return logit_ratio(logits, y.unsqueeze(1), target.unsqueeze(1), {2, 3});
}

const std::vector<std::string>& goal_loss_names() {
  static const std::vector<std::string> names{"ce", "dlr", "margin"};
  return names;
}

GoalLossFunction find_goal_loss(const std::string& name) {
  if (name == "ce") return cross_entropy_loss;
  if (name == "dlr") return dlr_loss;
  if (name == "margin") return margin_loss;
  throw UserError(fmt::format("unknown attack loss '{}'{} (known: {})", name, did_you_mean(name, goal_loss_names()),
                              join(goal_loss_names(), ", ")));
}

}  // namespace fercli
