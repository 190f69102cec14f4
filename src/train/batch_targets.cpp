#include "train/batch_targets.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>

namespace fercli {

namespace {

/// (K) float32 of mean about 1 over the images.
torch::Tensor class_weights(const std::string& kind, const Dataset& data) {
  const int64_t classes = data.classes.size();
  if (kind == "none") return torch::ones({classes});
  auto weights = static_cast<double>(data.size()) / (at::bincount(data.labels, {}, classes).to(torch::kFloat32) + 1) /
                 static_cast<double>(classes);
  if (kind == "sqrt") weights = weights.sqrt();
  return weights / weights.index_select(0, data.labels).mean();
}

/// (K) float32: tau times the logarithm of each class's share of the images.
torch::Tensor logit_adjustment(double tau, const Dataset& data) {
  const int64_t classes = data.classes.size();
  const auto counts = at::bincount(data.labels, {}, classes).to(torch::kFloat32) + 1;
  return (counts / counts.sum()).log() * tau;
}

/// Beta(alpha, alpha) for alpha <= 1 (Jöhnk 1964).
double draw_beta(double alpha, Rng& rng) {
  for (;;) {
    const double u = rng.uniform(), v = rng.uniform(), x = std::pow(u, 1 / alpha), y = std::pow(v, 1 / alpha);
    if (x + y == 0) return 1 / (1 + std::exp((std::log(v) - std::log(u)) / alpha));  // both are below all numbers
    if (x + y <= 1) return x / (x + y);
  }
}

}  // namespace

BatchTargets::BatchTargets(const TrainOptions& options, const Dataset& training, torch::Device device)
    : label_smoothing_(options.label_smoothing),
      mixup_(options.mixup),
      votes_(training.votes),
      weights_(class_weights(options.class_weights, training)),
      adjustment_(logit_adjustment(options.logit_adjustment, training).to(device)),
      teacher_(options.teacher),
      parameters_(options.parameters()),
      ranks_(options.ranks),
      device_(device) {}

torch::Tensor BatchTargets::smoothed(const Batch& raw) const {
  const int64_t classes = weights_.size(0);
  const auto truth = votes_.defined() ? votes_.index_select(0, torch::tensor(raw.rows, torch::kInt64))
                                      : at::one_hot(raw.y, classes).to(torch::kFloat32);
  return truth * (1 - label_smoothing_) + label_smoothing_ / static_cast<double>(classes);
}

TrainingBatch BatchTargets::mixed(const TrainingBatch& ready, Rng rng) const {
  const double share = draw_beta(mixup_, rng);
  const auto partner = torch::tensor(rng.permutation(ready.x.size(0)), torch::kInt64);
  const auto mix = [&](const torch::Tensor& t) { return t * share + t.index_select(0, partner) * (1 - share); };
  TrainingBatch mixed = ready;
  mixed.x = mix(ready.x);
  if (share < 0.5) mixed.y = ready.y.index_select(0, partner);
  mixed.target = mix(ready.target);
  mixed.weight = mix(ready.weight);
  if (ranks_->count() == 1) return mixed;
  const auto begin_of = [&](int64_t rank) { return ready.x.size(0) * rank / ranks_->count(); };
  return mixed.rows(begin_of(ranks_->number()), begin_of(ranks_->number() + 1));
}

TrainingBatch BatchTargets::of(const Batch& raw, const Rng& rng, bool noise_by_row) const {
  TrainingBatch ready{raw.x, raw.y, smoothed(raw), weights_.index_select(0, raw.y), adjustment_};
  ready.first_row = raw.first;
  ready.noise_keys = raw.rows;
  if (!noise_by_row) std::iota(ready.noise_keys.begin(), ready.noise_keys.end(), raw.first);
  ready.parameters = parameters_;
  if (wants_whole_batches()) ready = mixed(ready, rng);
  if (teacher_) ready.target = teacher_->targets(ready.x, ready.target);
  for (auto* tensor : {&ready.x, &ready.y, &ready.target, &ready.weight}) *tensor = tensor->to(device_);
  return ready;
}

}  // namespace fercli
