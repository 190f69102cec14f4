#include "eval/measures/difference_picture.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace fercli {

namespace {

constexpr int64_t kMidGrey = 128, kHalfScale = 127;

torch::Tensor signed_difference(const torch::Tensor& before, const torch::Tensor& after) {
  return after.to(torch::kInt32) - before.to(torch::kInt32);
}

}  // namespace

int64_t amplification(const torch::Tensor& before, const torch::Tensor& after) {
  const auto largest = signed_difference(before, after).abs().max().item<int64_t>();
  return std::max<int64_t>(1, kHalfScale / std::max<int64_t>(1, largest));
}

torch::Tensor amplified_difference(const torch::Tensor& before, const torch::Tensor& after, int64_t factor) {
  return (signed_difference(before, after) * factor + kMidGrey).clamp(0, 255).to(torch::kUInt8);
}

torch::Tensor coloured_difference(const torch::Tensor& before, const torch::Tensor& after, int64_t factor) {
  if (before.size(0) == 3) return amplified_difference(before, after, factor);
  const auto delta = signed_difference(before, after) * factor;
  const auto up = delta.clamp_min(0) * 2, down = delta.clamp_max(0) * -2;
  return torch::cat({255 - down, 255 - up - down, 255 - up}).clamp(0, 255).to(torch::kUInt8);
}

}  // namespace fercli
