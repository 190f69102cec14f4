#include "train/training_loss.hpp"

#include <ATen/ATen.h>

namespace fercli {

std::vector<std::string> adversarial_losses() {
  std::vector<std::string> names;
  for (const auto& loss : Registry<TrainingLoss>::instance().all()) {
    if (loss.attack) names.push_back(loss.name);
  }
  return names;
}

torch::Tensor soft_cross_entropy(const torch::Tensor& logits, const torch::Tensor& target,
                                 const torch::Tensor& weight) {
  return -((target * at::log_softmax(logits, 1)).sum(1) * weight).mean();
}

torch::Tensor label_loss(const torch::Tensor& logits, const TrainingBatch& batch) {
  return soft_cross_entropy(logits + batch.adjustment, batch.target, batch.weight);
}

torch::Tensor kl_divergence(const torch::Tensor& p_logits, const torch::Tensor& q_logits) {
  const auto log_p = at::log_softmax(p_logits, 1);
  return (log_p.exp() * (log_p - at::log_softmax(q_logits, 1))).sum(1);
}

LossOutput perturbed_label_loss(const TrainingModel& model, const TrainingBatch& batch) {
  const auto logits = model.logits(batch.x_adv);
  return {label_loss(logits, batch), logits.detach()};
}

}  // namespace fercli
