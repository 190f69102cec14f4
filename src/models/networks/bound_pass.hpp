#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

namespace fercli {

class Layer;
class Network;

/// While it lives, forward passes of this thread through `network` take (3N,…): N images, then as many lower and as
/// many upper corners of boxes, and carry the bounds of interval arithmetic (Gowal et al., arXiv:1810.12715) along: a
/// layer with weights W sends a box of middle m and reach r to W m + b and |W| r; all else that networks do rises with
/// its input. BatchNorm takes, and where it learns keeps, the statistics of the N images. Dropout rests.
class BoundPass {
 public:
  /// labels: (N) int64.
  BoundPass(Network& network, torch::Tensor labels);
  ~BoundPass();
  BoundPass(const BoundPass&) = delete;
  BoundPass& operator=(const BoundPass&) = delete;

  static BoundPass* active();  ///< of this thread; null: none

  /// answers: (3N,K), what the network made of such a batch. Returns (N,K): the most that logits[k] - logits[label] can
  /// be in the box, 0 at the label.
  torch::Tensor worst_logits(const torch::Tensor& answers) const;

  /// What an output layer makes of features (3N,I), in one step with the margins: (3N,K), the last 2N rows both those
  /// of `worst_logits`. weight: (K,I); bias: (K).
  torch::Tensor margins(const torch::Tensor& features, const torch::Tensor& weight, const torch::Tensor& bias);

 private:
  torch::Tensor labels_;
  Network& network_;
  bool trains_, has_margins_ = false;
  std::vector<std::pair<std::shared_ptr<Layer>, bool>> layers_;  ///< with the mode that they were in
};

}  // namespace fercli
