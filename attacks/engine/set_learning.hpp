#pragma once

#include <cstdint>
#include <vector>

#include "attacks/threat/losses.hpp"
#include "core/random.hpp"

namespace fercli {

/// For attacks that learn one thing (a perturbation, a patch) from many images: which images each step takes. Every
/// image comes once before any comes again, in an order of its own each time, keyed by `rng`.
class ImageOrder {
 public:
  ImageOrder(int64_t n, int64_t per_step, const Rng& rng);

  /// Rows of the next step: min(n, per_step) of them.
  std::vector<int64_t> next();

 private:
  int64_t n_, per_step_;
  Rng rng_;
  uint64_t epoch_ = 0;
  std::vector<int64_t> order_;
};

/// The loss with the pull of images taken away that are past their goal by 30 % of the span of their logits: they need
/// no more, and would drown the others.
GoalLoss loss_of_the_unfinished(const GoalLossFunction& loss, const torch::Tensor& logits, const Goal& goal);

}  // namespace fercli
