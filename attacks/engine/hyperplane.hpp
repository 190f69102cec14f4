#pragma once

#include <functional>

#include "attacks/threat/threat_model.hpp"

namespace fercli {

/// The decision boundary as it looks from a point: the goal is reached where value + <normal, step> < 0.
struct Hyperplane {
  torch::Tensor value;   ///< (N) float32: how far the logits are from the goal
  torch::Tensor normal;  ///< (N,C,H,W) float32: the gradient of `value` in the image
};

/// (N) -> (N,1,1,1): a number per image, to multiply images with.
inline torch::Tensor over_pixels(const torch::Tensor& values) {
  return values.view({-1, 1, 1, 1});
}

/// (N) float64: |gradient| in the norm dual to `norm`, so that value / dual_norm is the distance to a hyperplane
/// without the box. L0 counts as L1.
torch::Tensor dual_norms(const torch::Tensor& gradient, Norm norm);

/// The hyperplane that is the goal's nearest: untargeted, of those that part the true class from each other one, the
/// nearest by |value| / dual norm (K - 1 backward passes); targeted, the one that parts the target from its strongest
/// rival (one). logits (N,K); pullback as of a `Linearization`.
Hyperplane nearest_hyperplane(const torch::Tensor& logits,
                              const std::function<torch::Tensor(const torch::Tensor& dlogits)>& pullback,
                              const Goal& goal, Norm norm);

/// The smallest step from each of `points` ((N,C,H,W) in [0,1]) onto <normal, step> = change ((N) float64) that stays
/// in [0,1], in Linf, L2 or L1; where the box holds no such step, the one that comes nearest to it. Croce & Hein,
/// arXiv:1907.02044, sec. 2.2, there by sorting; here, but for L1, by Newton's method on the concave, piecewise linear
/// function of the multiplier, which ends on the exact piece. Rows do not depend on each other.
torch::Tensor step_onto(const torch::Tensor& points, const torch::Tensor& normal, const torch::Tensor& change,
                        Norm norm);

}  // namespace fercli
