#pragma once

#include <cstdint>

#include "attacks/engine/attack.hpp"

namespace fercli {

struct MinimalEpsSettings {
  double max_eps = 32 / 255.0;    ///< nothing beyond is searched
  double resolution = 1 / 255.0;  ///< eps is searched among whole multiples of it
};

struct MinimalEpsResult {
  torch::Tensor eps;     ///< (N) float64: |x_adv - x| of the nearest success found; infinite where there is none
  torch::Tensor x_adv;   ///< (N,C,H,W): that success; the original where there is none
  torch::Tensor logits;  ///< (N,K) of x_adv by the float32 network
  int64_t forward = 0, backward = 0;
};

/// The smallest eps at which this fixed-budget attack succeeds, for each image: doubled from the resolution until the
/// attack succeeds, then bisected between the largest eps that failed and the smallest that succeeded. Every value
/// reported has its image, judged by the float32 network (and on the pixel grid when the attack works there); a success
/// that lies nearer than the eps it was allowed lowers the bound at once. Each start continues from the best image of
/// the last eps. `input.start`, if given, holds images that may be successes already; those that are bound the search.
/// It searches in float32, whatever the attack may use elsewhere and whatever the classifier's precision is.
/// All images are searched side by side; results depend on neither company nor order.
MinimalEpsResult minimal_eps(const Classifier& classifier, const Attack& attack, Norm norm, const AttackInput& input,
                             const Rng& rng, const MinimalEpsSettings& settings = {});

}  // namespace fercli
