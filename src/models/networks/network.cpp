#include "models/networks/network.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/random.hpp"
#include "models/networks/layers.hpp"

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

namespace {

/// A dropout is a probability; all other settings count channels or layers.
void require_range(const std::string& name, double value) {
  constexpr double kMostLayers = 16, kMostChannels = 4096;
  if (name == "dropout") {
    if (value >= 0 && value < 1) return;
    throw UserError(fmt::format("--set {}={:g}: must be in [0, 1)", name, value));
  }
  const double most = name == "stages" || name == "blocks" ? kMostLayers : kMostChannels;
  if (value >= 1 && value <= most && value == std::floor(value)) return;
  throw UserError(fmt::format("--set {}={:g}: must be a whole number in [1, {:g}]", name, value, most));
}

std::map<std::string, double> checked_settings(const std::string& arch, std::map<std::string, double> settings) {
  settings = complete_settings(arch, std::move(settings));
  for (const auto& [name, value] : settings) require_range(name, value);
  return settings;
}

bool takes_images(Network& network, const NetworkOptions& options) {
  const torch::NoGradGuard no_grad;
  network.eval();
  try {
    network.forward(torch::zeros({1, options.channels, options.size, options.size}));
  } catch (const c10::Error&) {
    return false;
  }
  return true;
}

}  // namespace

int64_t smallest_side(const std::string& arch, NetworkOptions options) {
  const int64_t known = options.size;
  options.settings = checked_settings(arch, std::move(options.settings));
  for (options.size = 1; options.size < known; ++options.size) {
    if (takes_images(*Registry<Architecture>::instance().get(arch).make(options), options)) break;
  }
  return options.size;
}

std::shared_ptr<Network> make_network(const std::string& arch, NetworkOptions options, uint64_t seed) {
  options.settings = checked_settings(arch, std::move(options.settings));
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
