#include "train/weight_perturbation.hpp"

#include <torch/csrc/autograd/autograd.h>

#include "models/networks/network.hpp"

namespace fercli {

namespace {

constexpr double kTinyWeight = 1e-20;

}  // namespace

WeightPerturbation::WeightPerturbation(const Network& network, const torch::Tensor& loss, double gamma) {
  for (const auto& parameter : network.parameters()) {
    if (parameter.dim() > 1 && parameter.requires_grad()) weights_.push_back(parameter);
  }
  const auto gradients = torch::autograd::grad({loss}, weights_);
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) {
    originals_.push_back(weights_[i].detach().clone());
    weights_[i].add_(gradients[i] * (gamma * weights_[i].norm() / (gradients[i].norm() + kTinyWeight)));
  }
}

WeightPerturbation::~WeightPerturbation() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < weights_.size(); ++i) weights_[i].copy_(originals_[i]);
}

}  // namespace fercli
