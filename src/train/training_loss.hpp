#pragma once

#include <torch/types.h>

#include <memory>

#include "core/random.hpp"
#include "core/registry.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// What a loss sees of the network in training: train-mode forward passes with a graph down to the weights.
class TrainingModel {
 public:
  TrainingModel(std::shared_ptr<Network> network, Preprocessing preprocessing, Precision precision,
                torch::Device device)
      : network_(std::move(network)),
        preprocessing_(std::move(preprocessing)),
        precision_(precision),
        device_(device) {}

  /// x: float32 (N,C,H,W) in [0,1] of the network's own size and channels -> float32 (N,K).
  torch::Tensor logits(const torch::Tensor& x) const;

  Network& network() const { return *network_; }
  torch::Device device() const { return device_; }

 private:
  std::shared_ptr<Network> network_;
  Preprocessing preprocessing_;
  Precision precision_;
  torch::Device device_;
};

/// One step's images with their targets.
struct TrainingBatch {
  torch::Tensor x;       ///< float32 (N,C,H,W) in [0,1], on the model's device
  torch::Tensor target;  ///< float32 (N,K): probabilities (smoothed, mixed)
  torch::Tensor weight;  ///< float32 (N): of each image, mean about 1
};

struct LossOutput {
  torch::Tensor loss;    ///< scalar with a graph
  torch::Tensor logits;  ///< float32 (N,K) of the clean images, detached
};

/// A training objective, one file each.
struct TrainingLoss {
  static constexpr const char* kKind = "loss";
  std::string name;
  std::string summary;
  LossOutput (*compute)(const TrainingModel& model, const TrainingBatch& batch, const Rng& rng);
};

/// -sum_k target_k log softmax(logits)_k, weighted mean over the batch. Shapes (N,K), (N,K), (N).
torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& target, const torch::Tensor& weight);

}  // namespace fercli
