#pragma once

#include <torch/types.h>

namespace fercli {

/// The whole factor, at least 1, that enlarges the largest difference of two uint8 images to half of the grey scale.
int64_t amplification(const torch::Tensor& before, const torch::Tensor& after);

/// after - before, times `factor`, on mid-grey: uint8 (C,H,W).
torch::Tensor amplified_difference(const torch::Tensor& before, const torch::Tensor& after, int64_t factor);

/// The same for people: of grey images lighter is red, darker is blue and unchanged is white, uint8 (3,H,W); of colour
/// images the amplified difference.
torch::Tensor coloured_difference(const torch::Tensor& before, const torch::Tensor& after, int64_t factor);

}  // namespace fercli
