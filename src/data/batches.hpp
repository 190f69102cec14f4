#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "core/random.hpp"
#include "data/augmentation.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// Images of one training step.
struct Batch {
  torch::Tensor x;  ///< float32 (N,C,H,W) in [0,1]
  torch::Tensor y;  ///< int64 (N)
};

/// The shuffled, augmented batches of one epoch, prepared by a thread of its own while the network works on the last
/// one. Order and augmentation depend on (rng, epoch, row) alone, so an epoch can be entered at any batch.
class EpochBatches {
 public:
  /// `dataset` must outlive this object. The last, incomplete batch is kept unless it has a single image (BatchNorm
  /// needs two).
  EpochBatches(const Dataset& dataset, const Augmentation& augmentation, const Rng& rng, int64_t epoch,
               int64_t batch_size, int64_t first_batch);
  ~EpochBatches();

  bool next(Batch& batch);  ///< false at the end of the epoch

  static int64_t count(int64_t images, int64_t batch_size);  ///< batches in an epoch

 private:
  struct Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace fercli
