#include "faces/region_map.hpp"

#include "data/dataset.hpp"

namespace fercli {

torch::Tensor region_map(const Classifier& classifier, const torch::Tensor& crop, int64_t label) {
  const int64_t side = crop.size(1), channels = crop.size(0);
  const auto grey = crop.to(torch::kFloat32).mean({1, 2}).round().to(torch::kUInt8).view({channels, 1, 1});
  const auto faces = crop.unsqueeze(0).repeat({kRegions * kRegions + 1, 1, 1, 1});  // the last one hides nothing
  const auto edge = [&](int64_t region) { return region * side / kRegions; };
  for (int64_t row = 0; row < kRegions; ++row) {
    for (int64_t column = 0; column < kRegions; ++column) {
      faces[row * kRegions + column]
          .slice(1, edge(row), edge(row + 1))
          .slice(2, edge(column), edge(column + 1))
          .copy_(grey);
    }
  }
  const auto probability = classifier.logits(to_float(faces)).to(torch::kFloat64).softmax(1).select(1, label);
  return (probability[kRegions * kRegions] - probability.slice(0, 0, kRegions * kRegions)).view({kRegions, kRegions});
}

}  // namespace fercli
