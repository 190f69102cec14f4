#pragma once

#include "train/epoch_record.hpp"
#include "train/training_loss.hpp"

namespace fercli {

// The watch for catastrophic overfitting (Wong et al., arXiv:2001.03994): training with a single step may overfit to
// its own attack, and the robust accuracy of the weights collapses. Several steps, and replays, do not.

constexpr int64_t kWatchedImages = 140;     ///< on which the weights are watched, or fewer
constexpr int64_t kStepsAfterCollapse = 2;  ///< of the attack, from a collapse on

bool may_collapse(const TrainingLoss& loss, int64_t attack_steps);

/// Did the last epoch take the weights below half of their best balanced robust accuracy? That must have been better
/// than a constant answer. history: of adversarial training, not empty.
bool has_collapsed(const std::vector<EpochRecord>& history, int64_t classes);

/// The best balanced robust accuracy that the weights had.
double best_live_accuracy(const std::vector<EpochRecord>& history);

}  // namespace fercli
