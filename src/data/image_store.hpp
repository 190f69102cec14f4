#pragma once

#include <torch/types.h>

#include <vector>

#include "core/large_bytes.hpp"

namespace fercli {

/// Room for so many images, uint8 (N,C,S,S), of no particular content: in memory, or in a mapped file where they are
/// larger than `in_memory` bytes (core/large_bytes.hpp), so that a data set may be larger than memory. Throws RunError.
torch::Tensor make_images(int64_t count, int64_t channels, int64_t size, int64_t in_memory = kMostInMemory);

/// These rows of images, uint8 (N,C,H,W), in a store of their own; of more than `in_memory` bytes that follow each
/// other not a copy, but a view.
torch::Tensor images_at(const torch::Tensor& images, const std::vector<int64_t>& rows,
                        int64_t in_memory = kMostInMemory);

}  // namespace fercli
