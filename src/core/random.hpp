#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace fercli {

/// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// A stream is identified by its key; keys are derived with `split`, so that the numbers for (seed, label, image,
/// restart) never depend on batch size, order, thread count or a resume.
class Rng {
 public:
  explicit Rng(uint64_t seed);

  /// An independent stream for this label or number. The parent's position does not matter.
  Rng split(std::string_view label) const;
  Rng split(uint64_t number) const;

  uint32_t next32();
  uint64_t next64();
  double uniform();                         ///< [0, 1)
  double uniform(double low, double high);  ///< [low, high)
  double normal();                          ///< mean 0, variance 1 (Box-Muller)
  int64_t below(int64_t bound);             ///< 0 … bound-1; bound ≥ 1
  bool chance(double probability);
  std::vector<int64_t> permutation(int64_t n);  ///< of 0 … n-1 (Fisher-Yates)
  uint64_t key() const { return key_; }

 private:
  struct KeyTag {};
  Rng(uint64_t key, KeyTag) : key_(key) {}

  uint64_t key_;
  uint64_t counter_ = 0;
  uint32_t block_[4] = {};
  int left_ = 0;
};

/// (N, shape…) float32, row i filled from `rng.split(index[i])`: uniform in [-1, 1).
torch::Tensor uniform_rows(const Rng& rng, const std::vector<int64_t>& index, torch::IntArrayRef shape);

/// The same, standard normal.
torch::Tensor normal_rows(const Rng& rng, const std::vector<int64_t>& index, torch::IntArrayRef shape);

}  // namespace fercli
