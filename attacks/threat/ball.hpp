#pragma once

#include <torch/types.h>

#include <vector>

#include "attacks/threat/threat_model.hpp"
#include "core/random.hpp"

namespace fercli {

/// Is there an 8-bit image other than the original within eps of it? In L1, L2 and Linf that takes one level, 1/255.
bool fits_a_level(Norm norm, double eps);

/// The images an adversary may show in place of each original: the eps-ball of a norm around x, cut by [0,1], and with
/// `pixel_grid` the multiples of 1/255 inside it; with a mask, only those that equal x where the mask is 0. All tensors
/// (N,C,H,W) float32; every row is treated alone.
class Ball {
 public:
  /// eps: (N) float64. With `pixel_grid` x must hold multiples of 1/255 (an 8-bit image); throws UserError otherwise.
  /// mask: (N,C,H,W) float32 of 0 and 1, or undefined: everything may change.
  Ball(Norm norm, torch::Tensor x, torch::Tensor eps, bool pixel_grid, torch::Tensor mask = {});

  /// The nearest point of the ball and [0,1]. Linf: by clamping. L2: delta times the largest factor up to 1 for which
  /// it fits once it is cut at [0,1]; shrinking first and cutting afterwards, as is usual, ends nearer to x. L1: every
  /// value shrunk alike and cut at [0,1] (Duchi et al., ICML 2008; with the box: Croce & Hein, arXiv:2103.01208,
  /// prop. 2.1). L0: the floor(eps) values stay that bring it nearest, the others return to x.
  torch::Tensor project(const torch::Tensor& x_adv) const;

  /// L2: the point that lies eps from x in the direction of x_adv, cut at [0,1] (and, where [0,1] holds no such point,
  /// the farthest): x where x_adv = x.
  torch::Tensor stretch(const torch::Tensor& x_adv) const;

  /// The point of the ball where a function with this gradient, were it linear, would be least. Linf: eps along the
  /// sign. L2: eps along the gradient, where a value that [0,1] cuts leaves its share to the others. L1: the values
  /// with the largest gradient go to 0 or 1 one after another until eps is spent. A gradient of zero or NaN moves
  /// nothing.
  torch::Tensor steepest(const torch::Tensor& gradient) const;

  /// The image an 8-bit file can hold: x_adv, a point of the ball, rounded to multiples of 1/255 inside the ball.
  /// Linf: the nearest (eps counts as floor(255 eps)/255). L2, L1: the nearest, then the pixels whose rounding went
  /// farthest outwards are rounded back towards x until the norm fits. L0: the nearest. Without `pixel_grid`: x_adv
  /// itself.
  torch::Tensor exportable(const torch::Tensor& x_adv) const;

  /// The nearest image an 8-bit file can hold, in the ball or not; x_adv itself without `pixel_grid`.
  torch::Tensor rounded(const torch::Tensor& x_adv) const;

  /// (N) bool: is x_adv in the ball? By `within`: 8-bit images to the level, other points up to the rounding of
  /// float32.
  torch::Tensor contains(const torch::Tensor& x_adv) const;

  /// One step of steepest descent of length alpha ((N) float64), projected. Linf: sign of the gradient; L2, L0: the
  /// gradient divided by its length; L1: equal steps in the 1 % of the values with the largest gradient (sparse
  /// descent, Tramer & Boneh, arXiv:1904.13000); what [0,1] leaves no room for goes to the next largest. A gradient of
  /// zero or NaN moves nothing.
  torch::Tensor step(const torch::Tensor& x_adv, const torch::Tensor& gradient, const torch::Tensor& alpha) const;

  /// A point drawn evenly from the eps-ball (L0: floor(eps) values drawn evenly from [0,1]), then projected; row i from
  /// `rng.split(index[i])`.
  torch::Tensor random_point(const Rng& rng, const std::vector<int64_t>& index) const;

  /// (N) float64: |x_adv - x|, exact for 8-bit images on the pixel grid.
  torch::Tensor distance(const torch::Tensor& x_adv) const;

  Ball select(const torch::Tensor& rows) const;

  Norm norm() const { return norm_; }
  const torch::Tensor& x() const { return x_; }
  const torch::Tensor& eps() const { return eps_; }    ///< (N) float64
  const torch::Tensor& mask() const { return mask_; }  ///< (N,C,H,W) float32, or undefined
  bool pixel_grid() const { return pixel_grid_; }
  int64_t size() const { return x_.size(0); }

 private:
  torch::Tensor masked(const torch::Tensor& delta) const { return mask_.defined() ? delta * mask_ : delta; }
  torch::Tensor into_l1(const torch::Tensor& delta) const;
  torch::Tensor on_sphere(const torch::Tensor& delta, double most) const;
  torch::Tensor largest_values(const torch::Tensor& size, const torch::Tensor& count) const;
  torch::Tensor spent_on_best(const torch::Tensor& worth, const torch::Tensor& most, const torch::Tensor& total) const;
  torch::Tensor on_grid(const torch::Tensor& x_adv) const;
  torch::Tensor pulled_back(const torch::Tensor& x_adv) const;

  Norm norm_;
  torch::Tensor x_, eps_;
  bool pixel_grid_;
  torch::Tensor mask_;
};

}  // namespace fercli
