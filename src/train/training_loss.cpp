#include "train/training_loss.hpp"

#include <ATen/ATen.h>

namespace fercli {

TrainingBatch TrainingBatch::rows(int64_t begin, int64_t end) const {
  TrainingBatch part = *this;
  for (auto* tensor : {&part.x, &part.y, &part.target, &part.weight, &part.x_adv}) {
    // A copy: how a tensor lies in memory may decide its last bits.
    if (tensor->defined()) *tensor = tensor->slice(0, begin, end).clone();
  }
  part.first_row = first_row + begin;
  part.noise_keys = {noise_keys.begin() + begin, noise_keys.begin() + end};
  return part;
}

std::vector<std::string> adversarial_losses() {
  std::vector<std::string> names;
  for (const auto& loss : Registry<TrainingLoss>::instance().all()) {
    if (loss.attack) names.push_back(loss.name);
  }
  return names;
}

std::vector<Parameter> parameters_of(const TrainingLoss& loss) {
  auto all = loss.parameters;
  if (!loss.attack || !loss.attack->searches) return all;
  all.push_back(Parameter::whole("attack-steps", std::to_string(loss.attack->steps), between(1, 1000),
                                 "gradient steps per batch (free: replays)"));
  all.push_back(Parameter::number("alpha", "", {0, 1, true}, "step size; without it the rule of the loss's paper"));
  // A loss that learns and attacks in one pass has the statistics of the batch.
  const std::string statistics = to_string(loss.attack->statistics);
  all.push_back(Parameter::choice(
      "attack-statistics", statistics,
      loss.attack->learn_from ? std::vector<std::string>{statistics} : std::vector<std::string>{"running", "batch"},
      "BatchNorm's in the attack"));
  return all;
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
