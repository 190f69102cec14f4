#include "train/weight_average.hpp"

#include <algorithm>

#include "models/networks/network.hpp"

namespace fercli {

std::vector<torch::Tensor> weights_and_statistics(const Network& network) {
  auto tensors = network.parameters();
  for (const auto& buffer : network.buffers()) tensors.push_back(buffer);
  return tensors;
}

WeightAverage::WeightAverage(const Checkpoint& start, double decay, torch::Device device)
    : network_(Registry<Architecture>::instance().get(start.arch).make(start.options)), decay_(decay) {
  network_->to(device);
  copy_weights(*start.network, *network_);
}

void WeightAverage::follow(const Network& network, int64_t step) {
  const torch::NoGradGuard no_grad;
  const double decay = std::min(decay_, (1.0 + step) / (10.0 + step));
  auto targets = weights_and_statistics(*network_);
  const auto sources = weights_and_statistics(network);
  for (size_t i = 0; i < targets.size(); ++i) targets[i].lerp_(sources[i], 1 - decay);
}

}  // namespace fercli
