#include "train/weight_perturbation.hpp"

#include <torch/csrc/autograd/autograd.h>

#include "models/networks/network.hpp"

namespace fercli {

namespace {

constexpr double kTinyWeight = 1e-20;

std::vector<torch::Tensor> weights_of(const Network& network) {
  std::vector<torch::Tensor> weights;
  for (const auto& parameter : network.parameters()) {
    if (parameter.dim() > 1 && parameter.requires_grad()) weights.push_back(parameter);
  }
  return weights;
}

}  // namespace

WeightPerturbation::WeightPerturbation(const Network& network, const torch::Tensor& loss, double gamma)
    : weights_(weights_of(network)) {
  move(torch::autograd::grad({loss}, weights_), gamma);
}

WeightPerturbation::WeightPerturbation(const Network& network, double gamma) : weights_(weights_of(network)) {
  std::vector<torch::Tensor> gradients;
  for (const auto& weight : weights_) gradients.push_back(weight.grad());
  move(gradients, gamma);
}

void WeightPerturbation::move(const std::vector<torch::Tensor>& gradients, double gamma) {
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
