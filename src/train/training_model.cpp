#include "train/training_model.hpp"

#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

TrainingModel::TrainingModel(const Checkpoint& start, Precision precision, torch::Device device)
    : network_(start.network), spec_(start), precision_(precision), device_(device) {
  network_->to(device_);
  for (const auto& module : network_->modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->accelerate_training();
  }
}

torch::Tensor TrainingModel::logits(const torch::Tensor& x) const {
  return network_->forward(spec_.preprocessing.normalised(x, scalar_type(precision_))).to(torch::kFloat32);
}

torch::Tensor TrainingModel::exact_logits(const torch::Tensor& x) const {
  return network_->forward(spec_.preprocessing.normalised(x, torch::kFloat32)).to(torch::kFloat32);
}

Classifier TrainingModel::classifier(int64_t size) const {
  NetworkSpec spec = spec_;
  spec.preprocessing.size = size;
  return Classifier(network_, spec, {precision_, device_});
}

}  // namespace fercli
