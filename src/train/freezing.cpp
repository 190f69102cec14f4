#include "train/freezing.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

void freeze_layers(Network& network, int64_t count) {
  std::vector<Layer*> layers;
  for (const auto& module : network.modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layers.push_back(layer);
  }
  if (count >= static_cast<int64_t>(layers.size())) {
    throw UserError(
        fmt::format("--freeze-until {}: the network has {} layers, and one at least must learn", count, layers.size()));
  }
  for (int64_t i = 0; i < count; ++i) {
    layers[static_cast<size_t>(i)]->eval();
    for (auto& parameter : layers[static_cast<size_t>(i)]->parameters()) parameter.set_requires_grad(false);
  }
}

}  // namespace fercli
