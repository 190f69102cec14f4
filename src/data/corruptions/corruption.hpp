#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/registry.hpp"

namespace fercli {

constexpr int64_t kSeverities = 5;

/// One common corruption of Hendrycks & Dietterich, "Benchmarking neural network robustness to common corruptions and
/// perturbations" (ICLR 2019, arXiv:1903.12261, section 4.1 and appendix B), registered in the file of its family.
///
/// Severities 1 to 5 are those that the authors chose for 64×64 images (Tiny-ImageNet-C), the published size nearest to
/// 48×48: those for 224×224 (ImageNet-C) would leave nothing of a face of 48. Strengths (noise, contrast, brightness,
/// …) are kept; lengths (radii, sigmas of blurs, shifts) are multiplied by side/64, side being the shorter side of the
/// image. Each family's file lists its numbers and what else differs from the authors' program. Common to all:
/// - grey images: what that program does to the three channels alike is done to the one; "value" (HSV) is the pixel;
/// - results are rounded to 8 bits and kept as they are (ImageNet-C's files went through JPEG at quality 85);
/// - an image draws the same random numbers at every severity, so that severities differ in strength alone.
struct Corruption {
  static constexpr const char* kKind = "corruption";
  std::string name;    ///< as in the paper's data set: "gaussian_noise"
  std::string family;  ///< "noise", "blur", "weather" or "digital"
  int64_t place;       ///< in the paper's tables, from 0
  /// image: float32 (C,H,W) in [0,1], contiguous; severity: 1 … 5. The same shape; `corrupt` cuts it at [0,1].
  torch::Tensor (*apply)(const torch::Tensor& image, int64_t severity, Rng& rng);
};

/// All fifteen in the order of the paper's tables: three noises, four blurs, four of weather, four digital.
std::vector<Corruption> common_corruptions();

/// images: uint8 (N,C,H,W), C is 1 or 3, H and W at least 8. The same shape, corrupted; row i's noise comes from `rng`
/// split by the corruption's name and `keys[i]`, so that it depends on nothing else. Throws UserError on a severity
/// outside 1 … 5.
torch::Tensor corrupt(const Corruption& corruption, const torch::Tensor& images, int64_t severity, const Rng& rng,
                      const std::vector<int64_t>& keys);

}  // namespace fercli
