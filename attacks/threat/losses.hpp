#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "attacks/threat/threat_model.hpp"

namespace fercli {

/// How far the logits are from the goal. Attacks descend it, for targets and for true labels alike.
struct GoalLoss {
  torch::Tensor value;     ///< (N) float32
  torch::Tensor gradient;  ///< (N,K) float32: d value[n] / d logits[n]; per image, so it is the gradient of the sum
};

/// logits: (N,K) float32.
using GoalLossFunction = std::function<GoalLoss(const torch::Tensor& logits, const Goal& goal)>;

/// Targeted: cross-entropy with the target. Untargeted: minus the cross-entropy with the true label. Nothing vanishes
/// on images of which the network is very sure, as it does in float32 from a lead of about 100 in the logits
/// (cross-entropy and gradient 0 exactly, which stops every attack that follows them; networks with large logits look
/// robust): the gradient is formed from the shares of the other classes among themselves and never shorter than 1e-12,
/// and a cross-entropy below e^-60 is replaced by a smaller one that falls as the lead grows, so that the larger of two
/// stays the larger.
GoalLoss cross_entropy_loss(const torch::Tensor& logits, const Goal& goal);

/// (N) bool: is the float32 cross-entropy's gradient, as it is usually formed (softmax minus one), exactly 0?
torch::Tensor saturates_cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels);

/// Logit margin (Carlini & Wagner, arXiv:1608.04644, eq. f6 without the cut at 0): targeted, the highest other logit
/// minus the target's; untargeted, the true label's minus the highest other. Below 0 exactly where the goal is reached.
GoalLoss margin_loss(const torch::Tensor& logits, const Goal& goal);

/// Difference of logits ratio (Croce & Hein, arXiv:2003.01690, eq. 6), to descend: untargeted, the true label's logit
/// minus the highest other, divided by the highest minus the third highest; targeted, the highest other logit minus the
/// target's, divided by the highest minus the mean of the third and fourth (as in their eq. 7, with the strongest class
/// in place of the true one). Where there are too few classes for the denominator (two; targeted, three), the numerator
/// alone: a quotient by the span of the logits would be constant, without a slope to follow.
GoalLoss dlr_loss(const torch::Tensor& logits, const Goal& goal);

/// Targeted DLR (eq. 7) of an untargeted attack that heads for one class: (z_y - z_t) / (z_1 - (z_3 + z_4) / 2), to
/// descend. y, target: (N) int64. With fewer than four classes as above.
GoalLoss targeted_dlr_loss(const torch::Tensor& logits, const torch::Tensor& y, const torch::Tensor& target);

/// "ce", "dlr" or "margin". Throws UserError.
GoalLossFunction find_goal_loss(const std::string& name);
const std::vector<std::string>& goal_loss_names();

}  // namespace fercli
