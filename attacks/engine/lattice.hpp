#pragma once

#include "attacks/engine/minimum_norm.hpp"

namespace fercli {

/// Ends a minimum-norm search on the pixel grid. A perturbation of a fraction of a level is lost when it is rounded to
/// the nearest one, so from each point off the grid that reached the goal ((R,C,H,W) `points`, their `cost` (R)
/// float64, infinite: none) this looks for the nearest 8-bit success inside the ball and tells `search` of each that it
/// meets: the smallest multiple of the perturbation whose rounding is a success (in Linf the smallest box of whole
/// levels, its signs also from the gradient); then, in L2, L1 and L0, the single levels or pixels that the goal needs
/// least are taken back as long as it stays reached, by the gradient at the 8-bit image itself. rows: (R) int64, places
/// in `search`.
void settle_on_grid(Search& search, const MinimumNormAttack& attack, const torch::Tensor& rows,
                    const torch::Tensor& points, const torch::Tensor& cost);

}  // namespace fercli
