#include "models/networks/network.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <stdexcept>

#include "core/random.hpp"
#include "models/networks/layers.hpp"

namespace fercli {

namespace {

double as_number(const Values::Value& value) {
  const auto* whole = std::get_if<int64_t>(&value);
  return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
}

const Parameter& setting_of(const Architecture& architecture, const std::string& name) {
  try {
    return find_parameter(architecture.parameters, name);
  } catch (const std::invalid_argument& error) {
    throw UserError(fmt::format("architecture {}: {}", architecture.name, error.what()));
  }
}

}  // namespace

Parameter width_parameter(const std::string& initial, const std::string& help) {
  return Parameter::whole("width", initial, between(1, 4096), help);
}

Parameter dropout_parameter(const std::string& initial) {
  return Parameter::number("dropout", initial, {0, 1, false, true}, "share of the last features left out in training");
}

NetworkOptions Architecture::defaults() const {
  NetworkOptions options = shape;
  for (const auto& parameter : parameters)
    options.settings[parameter.name] = as_number(read_value(parameter, parameter.initial));
  return options;
}

std::map<std::string, double> complete_settings(const std::string& arch, std::map<std::string, double> settings) {
  const auto& architecture = Registry<Architecture>::instance().get(arch);
  for (const auto& [name, value] : settings) setting_of(architecture, name);
  const auto defaults = architecture.defaults().settings;
  settings.insert(defaults.begin(), defaults.end());
  return settings;
}

namespace {

std::map<std::string, double> checked_settings(const std::string& arch, std::map<std::string, double> settings) {
  settings = complete_settings(arch, std::move(settings));
  for (const auto& [name, value] : settings) {
    try {
      read_value(setting_of(Registry<Architecture>::instance().get(arch), name), fmt::format("{:.17g}", value));
    } catch (const std::invalid_argument& error) {
      throw UserError(fmt::format("architecture {}: {}={:g}: {}", arch, name, value, error.what()));
    }
  }
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

std::shared_ptr<Network> make_unfilled_network(const std::string& arch, NetworkOptions options) {
  options.settings = checked_settings(arch, std::move(options.settings));
  return Registry<Architecture>::instance().get(arch).make(options);
}

std::shared_ptr<Network> make_network(const std::string& arch, NetworkOptions options, uint64_t seed) {
  auto network = make_unfilled_network(arch, std::move(options));
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
