#pragma once

#include <optional>

#include "core/random.hpp"
#include "core/ranks.hpp"
#include "train/training_loss.hpp"

namespace fercli {

/// How the gradients of one batch are taken.
struct GradientSettings {
  const TrainingLoss& loss;
  const TrainingModel& model;
  std::optional<InnerAttack> attack;  ///< in adversarial training
  double awp = 0;                     ///< gamma of the weight perturbation; 0: none
  Rng dropout, noise;                 ///< of this step
};

/// The figures of a batch.
struct GradientOutput {
  double loss;      ///< mean over its images
  int64_t correct;  ///< of the images that were learnt
};

/// Leaves the gradients of the batch's loss in the network. Where the loss is not finite, they mean nothing. `memory`
/// is that of the AttackRecipe.
GradientOutput take_gradients(const GradientSettings& settings, TrainingBatch batch, torch::Tensor& memory);

/// A batch cut into micro-shards, each differentiated by itself, with BatchNorm statistics of its own.
struct MicroShards {
  int64_t count;     ///< a multiple of the number of ranks
  int64_t of_batch;  ///< images in the batch, at least two for each micro-shard
  Ranks& ranks;      ///< each has as many micro-shards, in order
};

/// The same in micro-shards: gradients, running statistics and losses are added in the order of the micro-shards, in
/// proportion to their images, so that the bits do not depend on the number of ranks. `own`: the images of this rank's
/// micro-shards. Throws what `Ranks::together` does; network and memory are then as they were, where an attack `stops`.
GradientOutput take_gradients(const GradientSettings& settings, const TrainingBatch& own, torch::Tensor& memory,
                              const MicroShards& shards);

}  // namespace fercli
