#pragma once

#include "train/train_options.hpp"
#include "train/training_loss.hpp"

namespace fercli {

/// The attack in the training steps over a run: eps rises evenly from 0, and the step size with it.
class AttackSchedule {
 public:
  /// options: with an adversarial loss. Throws as `TrainOptions::parameters`.
  explicit AttackSchedule(const TrainOptions& options);

  int64_t first_steps() const;  ///< gradient steps (free: replays) per batch, as long as nothing collapses
  bool replays() const { return loss_.attack->learn_from != nullptr; }

  /// At this moment of the run, in epochs (2.5: middle of the third).
  double eps(double moment) const;
  InnerAttack at(double moment, int64_t steps) const;

 private:
  const TrainingLoss& loss_;
  Values parameters_;
  double eps_, rise_;  ///< the full radius, and when it is reached
  bool stops_;
};

}  // namespace fercli
