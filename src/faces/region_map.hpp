#pragma once

#include <torch/types.h>

#include "models/classifier.hpp"

namespace fercli {

inline constexpr int64_t kRegions = 6;  ///< in each direction

/// What the verdict hangs on: each region of the face is hidden in turn, under the mean grey of the whole, and the
/// value is by how much the probability of `label` then falls; where it rises, the value is negative. Occlusion as in
/// Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014. crop: uint8 (C,S,S), S at
/// least kRegions. float64 (kRegions,kRegions); one batched forward pass.
torch::Tensor region_map(const Classifier& classifier, const torch::Tensor& crop, int64_t label);

}  // namespace fercli
