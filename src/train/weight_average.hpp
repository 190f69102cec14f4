#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

#include "models/checkpoint.hpp"

namespace fercli {

/// The parameters of a network, then its buffers.
std::vector<torch::Tensor> weights_and_statistics(const Network& network);

/// The exponential moving average of a network's weights and statistics.
class WeightAverage {
 public:
  /// Starts from the weights of `start`. decay: per step, in (0,1); less in the first steps of a run.
  WeightAverage(const Checkpoint& start, double decay, torch::Device device);

  void follow(const Network& network, int64_t step);  ///< after this step of the run, from 1

  const std::shared_ptr<Network>& network() const { return network_; }

 private:
  std::shared_ptr<Network> network_;
  double decay_;
};

}  // namespace fercli
