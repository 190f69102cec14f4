#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "core/random.hpp"
#include "data/augmentation.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// Images of one training step, or some of them.
struct Batch {
  torch::Tensor x;            ///< float32 (N,C,H,W) in [0,1]
  torch::Tensor y;            ///< int64 (N)
  std::vector<int64_t> rows;  ///< (N) of the data set: which images these are
  int64_t first = 0;          ///< place of the first of them in the step's batch
  int64_t of_batch = 0;       ///< how many images that has
};

/// Which batches of an epoch are wanted.
struct EpochPlan {
  int64_t epoch, batch_size;
  int64_t first_batch = 0;
  int64_t smallest = 2;      ///< an incomplete last batch with fewer images is left out: BatchNorm needs two
  int64_t part = 0, of = 1;  ///< of each batch only this of so many equal parts
};

/// The shuffled, augmented batches of one epoch, prepared by a thread of its own while the network works on the last
/// one. Order and augmentation depend on (rng, epoch, row) alone, so an epoch can be entered at any batch.
class EpochBatches {
 public:
  /// `dataset` must outlive this object.
  EpochBatches(const Dataset& dataset, const Augmentation& augmentation, const Rng& rng, const EpochPlan& plan);
  ~EpochBatches();

  bool next(Batch& batch);  ///< false at the end of the epoch

  static int64_t count(int64_t images, const EpochPlan& plan);  ///< batches in an epoch

 private:
  struct Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace fercli
