#pragma once

#include <torch/types.h>

#include "models/checkpoint.hpp"

namespace fercli {

/// The network in training: forward passes with a graph down to the weights, and the views of it that attacks need.
class TrainingModel {
 public:
  /// Trains `start.network`, on `device`, in the arithmetic of `precision` with float32 weights.
  TrainingModel(const Checkpoint& start, Precision precision, torch::Device device);

  /// x: float32 (N,C,H,W) in [0,1] of the network's own channels -> float32 (N,K). BatchNorm and dropout work in the
  /// mode that the network is in.
  torch::Tensor logits(const torch::Tensor& x) const;

  /// The same in float32, whatever the precision.
  torch::Tensor exact_logits(const torch::Tensor& x) const;

  /// The network with its present weights, in eval mode, on images of this side: BatchNorm folded, weights fixed. A
  /// copy.
  Classifier classifier(int64_t size) const;

  Network& network() const { return *network_; }
  torch::Device device() const { return device_; }

 private:
  std::shared_ptr<Network> network_;
  NetworkSpec spec_;
  Precision precision_;
  torch::Device device_;
};

}  // namespace fercli
