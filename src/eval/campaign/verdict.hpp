#pragma once

#include <torch/types.h>

#include <vector>

#include "attacks/threat/threat_model.hpp"
#include "core/observer.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// What the float32 network says of stored images.
struct StoredVerdict {
  torch::Tensor probabilities;  ///< (N,K) float64
  torch::Tensor reached;        ///< (N) bool: the goal

  std::vector<double> of(int64_t row) const;  ///< the probabilities of one image
};

/// The verdict on what a file holds: each image goes through PNG and back in memory, and the float32 network reads what
/// comes out. It is the same whether or not files are written. stored: uint8 (N,C,H,W). Throws Interrupted.
StoredVerdict verdict_on_stored(const Classifier& classifier, const torch::Tensor& stored, const Goal& goal,
                                Observer& observer = Observer::none());

/// The logits of uint8 (N,C,H,W): float32 (N,K), a part at a time. Throws Interrupted.
torch::Tensor logits_of_images(const Classifier& classifier, const torch::Tensor& images,
                               Observer& observer = Observer::none());

}  // namespace fercli
