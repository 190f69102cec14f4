#include "train/training_model.hpp"

#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

TrainingModel::TrainingModel(const Checkpoint& start, Precision precision, torch::Device device)
    : network_(start.network),
      arch_(start.arch),
      options_(start.options),
      preprocessing_(start.preprocessing),
      classes_(start.classes),
      precision_(precision),
      device_(device) {
  network_->to(device_);
  for (const auto& module : network_->modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->accelerate_training();
  }
}

torch::Tensor TrainingModel::logits(const torch::Tensor& x) const {
  const auto per_channel = [&](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat32).view({1, -1, 1, 1}).to(device_);
  };
  const auto input = (x - per_channel(preprocessing_.mean)) / per_channel(preprocessing_.std);
  return network_->forward(input.to(scalar_type(precision_)).contiguous(torch::MemoryFormat::ChannelsLast))
      .to(torch::kFloat32);
}

Classifier TrainingModel::classifier(int64_t size) const {
  Preprocessing preprocessing = preprocessing_;
  preprocessing.size = size;
  return Classifier(network_, arch_, options_, preprocessing, classes_, precision_, device_);
}

}  // namespace fercli
