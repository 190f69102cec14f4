#pragma once

#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/classifier.hpp"

namespace fercli {

/// A network that a student learns from.
struct Teacher {
  Classifier network;
  std::string name;    ///< as it was given
  std::string digest;  ///< of its file
};

/// What teacher networks say of the images of a batch, on average, takes the place of part of their labels (Hinton et
/// al., arXiv:1503.02531, with soft targets only). In adversarial training the student learns them at its perturbed
/// images, while the teachers see the clean ones (adversarially robust distillation, Goldblum et al.,
/// arXiv:1905.09747).
class Distillation {
 public:
  /// At least one teacher. temperature > 0 divides their logits; share in (0,1] is what their mean answer counts, the
  /// label the rest. Throws UserError when a teacher lacks one of the student's `classes`.
  Distillation(std::vector<Teacher> teachers, const LabelSet& classes, double temperature, double share);

  /// x: float32 (N,C,H,W) in [0,1]; target: (N,K) probabilities. Returns (N,K) probabilities, on the target's device.
  torch::Tensor targets(const torch::Tensor& x, const torch::Tensor& target) const;

  nlohmann::json to_json() const;  ///< all that shapes the weights

 private:
  std::vector<Teacher> teachers_;
  std::vector<torch::Tensor> orders_;  ///< of each teacher: for each class of the student, its place among its own
  double temperature_, share_;
};

}  // namespace fercli
