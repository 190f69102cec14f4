// Standard training: cross-entropy with soft targets.
#include <ATen/ATen.h>

#include "models/network.hpp"
#include "train/training_loss.hpp"

namespace fercli {

torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& target,
                                 const torch::Tensor& weight) {
  return -((target * at::log_softmax(logits, 1)).sum(1) * weight).mean();
}

torch::Tensor TrainingModel::logits(const torch::Tensor& x) const {
  const auto per_channel = [&](const std::vector<double>& values) {
    return torch::tensor(values, torch::kFloat32).view({1, -1, 1, 1}).to(device_);
  };
  const auto input = (x - per_channel(preprocessing_.mean)) / per_channel(preprocessing_.std);
  return network_->forward(input.to(scalar_type(precision_)).contiguous(torch::MemoryFormat::ChannelsLast))
      .to(torch::kFloat32);
}

namespace {

const Register<TrainingLoss> registered{
    {"cross-entropy", "standard training", [](const TrainingModel& model, const TrainingBatch& batch, const Rng&) {
       const auto logits = model.logits(batch.x);
       return LossOutput{soft_cross_entropy(logits, batch.target, batch.weight), logits.detach()};
     }}};

}  // namespace

}  // namespace fercli
