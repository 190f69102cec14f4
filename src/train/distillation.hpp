#pragma once

#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>

#include "models/classifier.hpp"

namespace fercli {

/// What a teacher network says of the images of a batch takes the place of part of their labels (Hinton et al.,
/// arXiv:1503.02531, with soft targets only). In adversarial training the student learns them at its perturbed images,
/// while the teacher sees the clean ones (adversarially robust distillation, Goldblum et al., arXiv:1905.09747).
class Distillation {
 public:
  /// temperature > 0 divides the teacher's logits; share in (0,1] is what its answer counts, the label the rest.
  /// `digest` names the teacher's file. Throws UserError when the teacher lacks one of the student's `classes`.
  Distillation(Classifier teacher, const LabelSet& classes, double temperature, double share, std::string digest);

  /// x: float32 (N,C,H,W) in [0,1]; target: (N,K) probabilities. Returns (N,K) probabilities, on the target's device.
  torch::Tensor targets(const torch::Tensor& x, const torch::Tensor& target) const;

  nlohmann::json to_json() const;  ///< all that shapes the weights

 private:
  Classifier teacher_;
  torch::Tensor order_;  ///< for each class of the student, its place among the teacher's
  double temperature_, share_;
  std::string digest_;
};

}  // namespace fercli
