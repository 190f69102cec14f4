#pragma once

#include "attacks/engine/minimum_norm.hpp"

namespace fercli {

/// The constant c of |delta| + c f(x + delta), searched for each image on its own: nine descents one after the other
/// (no more than a descent has steps), with c = 0.001 first, ten times as much until one reaches the goal, then halfway
/// between the largest that failed and the smallest that succeeded (Carlini & Wagner, arXiv:1608.04644). A descent ends
/// after its steps, or at one of its ten checkpoints: see `End`. Images do not wait for each other: each has its own
/// descent, step and constant.
class TradeOff {
 public:
  /// When a descent ends early: at two checkpoints in a row the loss has not fallen by a ten-thousandth since the one
  /// before, or, for losses that rise in between, not changed at all.
  enum class End { NotFalling, NotMoving };

  TradeOff(int64_t images, int64_t steps, End end);

  const torch::Tensor& constant() const { return constant_; }  ///< (M) float64
  const torch::Tensor& step() const { return step_; }          ///< (M) float64: steps taken in this descent

  /// Counts a step of each image, with its loss (M) before it and whether it reached the goal ((M) bool). Returns where
  /// a descent has ended; there the constant is the next one and the step 0.
  torch::Tensor advance(const torch::Tensor& loss, const torch::Tensor& reached);

  torch::Tensor finished() const;  ///< (M) bool: no descent left

  /// For `Approach::look`: `more` and the tensors of this.
  Approach::State state(Approach::State more);

 private:
  int64_t steps_;
  End end_;
  torch::Tensor constant_, low_, high_, step_, descent_, checked_loss_, idle_, found_;
};

}  // namespace fercli
