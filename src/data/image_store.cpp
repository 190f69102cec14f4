#include "data/image_store.hpp"

#include <algorithm>

namespace fercli {

torch::Tensor make_images(int64_t count, int64_t channels, int64_t size, int64_t in_memory) {
  return make_bytes(count * channels * size * size, in_memory).view({count, channels, size, size});
}

torch::Tensor images_at(const torch::Tensor& images, const std::vector<int64_t>& rows, int64_t in_memory) {
  const auto count = static_cast<int64_t>(rows.size());
  const torch::Tensor index = torch::tensor(rows, torch::kInt64);
  const int64_t bytes = count * images.numel() / std::max<int64_t>(images.size(0), 1);
  if (bytes <= in_memory) return images.index_select(0, index);
  const bool in_order = std::adjacent_find(rows.begin(), rows.end(),
                                           [](int64_t row, int64_t next) { return next != row + 1; }) == rows.end();
  if (in_order) return images.narrow(0, rows.front(), count);
  torch::Tensor chosen = make_bytes(bytes, in_memory).view({count, images.size(1), images.size(2), images.size(3)});
  for (int64_t i = 0; i < count; ++i) chosen[i].copy_(images[rows[static_cast<size_t>(i)]]);
  return chosen;
}

}  // namespace fercli
