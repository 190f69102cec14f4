#include "models/network.hpp"

#include <fmt/format.h>

#include "core/random.hpp"
#include "models/layers.hpp"

namespace fercli {

std::map<std::string, double> complete_settings(const std::string& arch, std::map<std::string, double> settings) {
  const auto& defaults = Registry<Architecture>::instance().get(arch).defaults.settings;
  std::vector<std::string> known;
  for (const auto& [name, value] : defaults) known.push_back(name);
  for (const auto& [name, value] : settings) {
    if (defaults.count(name) == 0) {
      throw UserError(fmt::format("architecture {} has no setting '{}'{} (it has: {})", arch, name,
                                  did_you_mean(name, known), known.empty() ? "none" : join(known, ", ")));
    }
  }
  settings.insert(defaults.begin(), defaults.end());
  return settings;
}

std::shared_ptr<Network> make_network(const std::string& arch, NetworkOptions options, uint64_t seed) {
  options.settings = complete_settings(arch, std::move(options.settings));
  auto network = Registry<Architecture>::instance().get(arch).make(options);
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
