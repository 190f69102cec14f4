#include "train/inner_attack.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "attacks/threat/losses.hpp"
#include "core/interrupt.hpp"
#include "models/networks/network.hpp"
#include "train/training_loss.hpp"

namespace fercli {

namespace {

/// Of eps, in one of several steps.
constexpr double kLargestShare = 0.75;

}  // namespace

const char* to_string(Statistics statistics) {
  return statistics == Statistics::Running ? "running" : "batch";
}

AttackedNetwork::AttackedNetwork(const TrainingModel& model, Statistics statistics, int64_t size) : model_(model) {
  if (statistics == Statistics::Running) {
    folded_ = model.classifier(size);
    return;
  }
  for (auto& parameter : model.network().parameters()) {
    if (parameter.requires_grad()) frozen_.push_back(parameter.set_requires_grad(false));
  }
}

AttackedNetwork::~AttackedNetwork() {
  for (auto& parameter : frozen_) parameter.set_requires_grad(true);
}

torch::Tensor AttackedNetwork::logits(const torch::Tensor& x) const {
  if (folded_) return folded_->logits(x);
  const torch::NoGradGuard no_grad;
  return model_.logits(x);
}

torch::Tensor AttackedNetwork::gradient(const torch::Tensor& x, const LogitGradient& at_logits) const {
  if (folded_) {
    const auto linear = folded_->linearize(x);
    return linear.pullback(at_logits(linear.logits));
  }
  const torch::AutoGradMode with_grad(true);
  const auto input = x.detach().requires_grad_(true);
  const auto logits = model_.logits(input);
  return torch::autograd::grad({logits}, {input}, {at_logits(logits.detach())})[0];
}

AttackedNetwork::LogitGradient cross_entropy_ascent(const torch::Tensor& y) {
  return [y](const torch::Tensor& logits) {
    return -cross_entropy_loss(logits, Goal::untargeted(y.to(logits.device()))).gradient;
  };
}

AttackedNetwork::LogitGradient kl_ascent(const torch::Tensor& p) {
  return [p](const torch::Tensor& logits) { return logits.softmax(1) - p; };
}

torch::Tensor into_ball(const torch::Tensor& x_adv, const torch::Tensor& x, double eps) {
  return (x + (x_adv - x).clamp(-eps, eps)).clamp(0, 1);
}

torch::Tensor uniform_noise(const TrainingBatch& batch, double radius, const Rng& rng) {
  return (uniform_rows(rng, batch.noise_keys, batch.x.sizes().slice(1)) * radius).to(batch.x.device());
}

torch::Tensor normal_noise(const TrainingBatch& batch, double deviation, const Rng& rng) {
  return (normal_rows(rng, batch.noise_keys, batch.x.sizes().slice(1)) * deviation).to(batch.x.device());
}

double crossing_alpha(double eps, int64_t steps, double reach) {
  return eps * std::min(reach / static_cast<double>(steps), kLargestShare);
}

torch::Tensor ascend(const AttackedNetwork& network, const torch::Tensor& x, torch::Tensor x_adv,
                     const InnerAttack& attack, const AttackedNetwork::LogitGradient& at_logits) {
  for (int64_t step = 0; step < attack.steps; ++step) {
    if (attack.stops) throw_if_interrupted();
    x_adv = into_ball(x_adv + network.gradient(x_adv, at_logits).sign() * attack.alpha, x, attack.eps);
  }
  return x_adv;
}

torch::Tensor ascend_from_random(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack,
                                 const Rng& rng, torch::Tensor& /*carried*/) {
  const AttackedNetwork network(model, attack.statistics, batch.x.size(2));
  const auto start = (batch.x + uniform_noise(batch, attack.eps, rng)).clamp(0, 1);
  return ascend(network, batch.x, start, attack, cross_entropy_ascent(batch.y));
}

}  // namespace fercli
