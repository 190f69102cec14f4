#include "models/networks/network_spec.hpp"

#include <ATen/ATen.h>

namespace fercli {

torch::Tensor per_channel(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat32).view({1, -1, 1, 1});
}

int64_t usable_window(int64_t side, const NetworkSpec& spec) {
  const bool fits = side >= kSmallestWindow && side < spec.preprocessing.size;
  return fits && Registry<Architecture>::instance().get(spec.arch).any_size ? side : 0;
}

torch::Tensor resized(const torch::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::upsample_bilinear2d(x, {height, width}, /*align_corners=*/false);
}

torch::Tensor Preprocessing::normalised(const torch::Tensor& x, torch::ScalarType type) const {
  const auto input = (x - per_channel(mean).to(x.device())) / per_channel(std).to(x.device());
  return input.to(type).contiguous(torch::MemoryFormat::ChannelsLast);
}

torch::Tensor Preprocessing::input(const torch::Tensor& x, torch::ScalarType type) const {
  auto image = x;
  if (x.size(1) != channels) {
    if (channels == 3) {
      image = x.expand({-1, 3, -1, -1});
    } else {
      image = (x * per_channel({0.299, 0.587, 0.114}).to(x.device())).sum(1, /*keepdim=*/true);  // ITU-R BT.601
    }
  }
  if (crop_from == 0) return normalised(resized(image, size, columns()), type);
  image = resized(image, crop_from, crop_from);
  const auto middle = [this](int64_t side) { return (crop_from - side) / 2; };
  return normalised(
      image.slice(2, middle(size), middle(size) + size).slice(3, middle(columns()), middle(columns()) + columns()),
      type);
}

}  // namespace fercli
