#pragma once

#include <torch/types.h>

#include <vector>

#include "attacks/threat_model.hpp"
#include "core/random.hpp"

namespace fercli {

/// The images an adversary may show in place of each original: the eps-ball of a norm around x, cut by [0,1], and with
/// `pixel_grid` the multiples of 1/255 inside it. All tensors (N,C,H,W) float32; every row is treated alone.
class Ball {
 public:
  /// eps: (N) float64. With `pixel_grid` x must hold multiples of 1/255 (an 8-bit image); throws UserError otherwise.
  Ball(Norm norm, torch::Tensor x, torch::Tensor eps, bool pixel_grid);

  /// Into the ball: Linf by clamping (the nearest point); L2 by shrinking delta, then clamping to [0,1].
  torch::Tensor project(const torch::Tensor& x_adv) const;

  /// The image an 8-bit file can hold: x_adv, a point of the ball, rounded to multiples of 1/255 inside the ball.
  /// Linf: the nearest (eps counts as floor(255 eps)/255). L2: the nearest, then the pixels whose rounding went
  /// farthest outwards are rounded back towards x until the norm fits. Without `pixel_grid`: x_adv itself.
  torch::Tensor exportable(const torch::Tensor& x_adv) const;

  /// One step of steepest descent of length alpha ((N) float64), projected. Linf: sign of the gradient; L2: the
  /// gradient divided by its length. A gradient of zero or NaN moves nothing.
  torch::Tensor step(const torch::Tensor& x_adv, const torch::Tensor& gradient, const torch::Tensor& alpha) const;

  /// A point drawn evenly from the eps-ball, then projected; row i from `rng.split(index[i])`.
  torch::Tensor random_point(const Rng& rng, const std::vector<int64_t>& index) const;

  /// (N) float64: |x_adv - x|.
  torch::Tensor distance(const torch::Tensor& x_adv) const { return row_norms(x_adv - x_, norm_); }

  Ball select(const torch::Tensor& rows) const;

  Norm norm() const { return norm_; }
  const torch::Tensor& x() const { return x_; }
  const torch::Tensor& eps() const { return eps_; }  ///< (N) float64
  bool pixel_grid() const { return pixel_grid_; }
  int64_t size() const { return x_.size(0); }

 private:
  torch::Tensor exportable_l2(const torch::Tensor& x_adv) const;

  Norm norm_;
  torch::Tensor x_, eps_;
  bool pixel_grid_;
};

}  // namespace fercli
