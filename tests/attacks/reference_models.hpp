#pragma once

#include <map>

#include "attacks/engine/attack.hpp"
#include "models/classifier.hpp"

namespace fercli::test {

using Tensors = std::map<std::string, torch::Tensor>;

/// Whether FERCLI_FULL_REFERENCE is set: comparisons take all images, steps and networks, not a quick part of them.
bool full();

/// The dictionary in tests/golden/reference/FILE ("cases_std.pt"); that folder's README.md says what is in it.
Tensors reference_file(const std::string& file);

/// "std", "at" (small CNNs) or "linear", on 48x48 grey images.
Classifier reference_model(const std::string& name, Precision precision = Precision::Float32);

struct ReferenceImages {
  torch::Tensor pixels;  ///< (N,1,48,48) uint8
  torch::Tensor x;       ///< the same in [0,1], float32
  torch::Tensor y;       ///< (N) int64
};

/// "24", "200", "24_soft" or "200_soft".
ReferenceImages reference_images(const std::string& set);

/// These images, keyed by their pixels: untargeted, or all at one target.
AttackInput reference_input(const ReferenceImages& images);
AttackInput reference_input(const ReferenceImages& images, int64_t target);

/// (N) float32: the cross-entropy of each row of logits.
torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& y);

/// |actual - expected| <= absolute + relative |expected| everywhere; the message shows the worst place.
testing::AssertionResult is_close(const torch::Tensor& actual, const torch::Tensor& expected, double absolute,
                                  double relative = 0);

/// (N) float64: the share of each image's pixels that are equal within `absolute`.
torch::Tensor equal_share(const torch::Tensor& actual, const torch::Tensor& expected, double absolute);

/// Settings under which an attack does what the reference implementations do: off the pixel grid, from the original,
/// never stopping early.
AttackSettings reference_settings();

/// All that an attack showed the network, one entry per look. Valid when nothing leaves early (`reference_settings`).
struct Looks {
  std::vector<torch::Tensor> shown, logits;  ///< (N,C,H,W), (N,K)
  AttackTrace trace();                       ///< appends; to be set as `AttackSettings::trace`
};

}  // namespace fercli::test
