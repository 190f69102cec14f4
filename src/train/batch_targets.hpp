#pragma once

#include "data/batches.hpp"
#include "train/train_options.hpp"
#include "train/training_loss.hpp"

namespace fercli {

/// What a network shall answer for the images of a batch: labels, or people's votes, smoothed and mixed, a teacher's
/// answers, weights of the images and adjustments of the logits by the class frequencies of the training images.
class BatchTargets {
 public:
  /// options.ranks is not null.
  BatchTargets(const TrainOptions& options, const Dataset& training, torch::Device device);

  /// Mixing needs the images of all ranks.
  bool wants_whole_batches() const { return mixup_ > 0; }

  /// raw: this rank's part of the step's batch, or the whole batch when that is wanted. rng: of the step; it decides
  /// who is mixed with whom. Noise is keyed by rows of the data set (of mixed images: the first's), else by places in
  /// the batch. Returns this rank's part, on the device.
  TrainingBatch of(const Batch& raw, const Rng& rng, bool noise_by_row) const;

 private:
  torch::Tensor smoothed(const Batch& raw) const;
  TrainingBatch mixed(const TrainingBatch& ready, Rng rng) const;

  double label_smoothing_, mixup_;
  torch::Tensor votes_;                 ///< (N,K) of the training images; undefined: labels alone
  torch::Tensor weights_, adjustment_;  ///< (K)
  std::shared_ptr<const Distillation> teacher_;
  Values parameters_;
  std::shared_ptr<Ranks> ranks_;
  torch::Device device_;
};

}  // namespace fercli
