#include "models/network.hpp"

#include <fmt/format.h>

#include "core/random.hpp"
#include "models/layers.hpp"

namespace fercli {

namespace {

NetworkOptions with_defaults(const Architecture& architecture, NetworkOptions options) {
  std::vector<std::string> known;
  for (const auto& [name, value] : architecture.defaults.settings) {
    known.push_back(name);
    options.settings.emplace(name, value);
  }
  for (const auto& [name, value] : options.settings) {
    if (architecture.defaults.settings.count(name) == 0) {
      throw UserError(fmt::format("architecture {} has no setting '{}'{} (it has: {})", architecture.name, name,
                                  did_you_mean(name, known), known.empty() ? "none" : join(known, ", ")));
    }
  }
  return options;
}

}  // namespace

std::shared_ptr<Network> make_network(const std::string& arch, NetworkOptions options, uint64_t seed) {
  const auto& architecture = Registry<Architecture>::instance().get(arch);
  auto network = architecture.make(with_defaults(architecture, std::move(options)));
  const Rng rng = Rng(seed).split("weights");
  for (const auto& entry : network->named_modules()) {
    if (auto* layer = dynamic_cast<Layer*>(entry.value().get())) layer->initialise(rng.split(entry.key()));
  }
  return network;
}

void copy_weights(const Network& from, Network& to) {
  const torch::NoGradGuard no_grad;
  const auto parameters = from.named_parameters(), buffers = from.named_buffers();
  for (auto& entry : to.named_parameters()) entry.value().copy_(parameters[entry.key()]);
  for (auto& entry : to.named_buffers()) entry.value().copy_(buffers[entry.key()]);
}

}  // namespace fercli
