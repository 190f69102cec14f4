#include "data/corruptions/corruption.hpp"

#include <ATen/Parallel.h>

#include "core/error.hpp"
#include "data/dataset.hpp"

namespace fercli {

std::vector<Corruption> common_corruptions() {
  auto corruptions = Registry<Corruption>::instance().all();
  std::sort(corruptions.begin(), corruptions.end(),
            [](const Corruption& a, const Corruption& b) { return a.place < b.place; });
  return corruptions;
}

torch::Tensor corrupt(const Corruption& corruption, const torch::Tensor& images, int64_t severity, const Rng& rng,
                      const std::vector<int64_t>& keys) {
  if (severity < 1 || severity > kSeverities) {
    throw UserError(fmt::format("{}: severity {}: must be 1 to {}", corruption.name, severity, kSeverities));
  }
  const torch::NoGradGuard no_grad;
  const Rng noise = rng.split("corruption").split(corruption.name);
  const auto x = to_float(images);
  auto result = torch::empty_like(images);
  at::parallel_for(0, images.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Rng stream = noise.split(static_cast<uint64_t>(keys.at(static_cast<size_t>(i))));
      const auto image = corruption.apply(x[i].clone(), severity, stream);
      result[i].copy_(to_8bit(image));
    }
  });
  return result;
}

}  // namespace fercli
