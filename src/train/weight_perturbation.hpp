#pragma once

#include <torch/types.h>

#include <vector>

#include "models/networks/architecture.hpp"

namespace fercli {

/// Adversarial weight perturbation (Wu, Xia and Wang, arXiv:2004.05884, eq. 8–10, one step): while it lives, each
/// weight tensor of rank 2 and more is moved by gamma |w| / |g| g along the gradient g of the loss, to where the loss
/// is higher; the gradient taken there teaches the true weights. gamma is 0.01 for plain adversarial training and 0.005
/// for TRADES in the paper. Deviation: the optimizer's step is made after the weights have come back (in the authors'
/// program before), so that weight decay acts on the true ones.
class WeightPerturbation {
 public:
  /// loss: scalar with a graph to the weights of `network`.
  WeightPerturbation(const Network& network, const torch::Tensor& loss, double gamma);
  /// Along the gradients that the weights hold.
  WeightPerturbation(const Network& network, double gamma);
  ~WeightPerturbation();  ///< brings the weights back, to the last bit
  WeightPerturbation(const WeightPerturbation&) = delete;
  WeightPerturbation& operator=(const WeightPerturbation&) = delete;

 private:
  void move(const std::vector<torch::Tensor>& gradients, double gamma);

  std::vector<torch::Tensor> weights_, originals_;
};

}  // namespace fercli
