#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/parameters.hpp"
#include "core/registry.hpp"

namespace fercli {

class Network;  // models/networks/network.hpp: kept out of this header, because <torch/nn/module.h> costs each file
                // five seconds

/// What shapes a network besides its architecture's name.
struct NetworkOptions {
  int64_t channels = 1;  ///< input channels
  int64_t size = 48;     ///< input height and width
  int64_t classes = 7;
  std::map<std::string, double> settings;  ///< the architecture's own ("width", "dropout"), see its entry

  double setting(const std::string& name) const { return settings.at(name); }
};

/// One architecture.
struct Architecture {
  static constexpr const char* kKind = "architecture";
  std::string name;
  std::string summary;
  std::string rationale;              ///< why it is built so, for the …_arch.txt
  NetworkOptions shape;               ///< the usual input and classes
  std::vector<Parameter> parameters;  ///< its settings: numbers, all with a default
  std::shared_ptr<Network> (*make)(const NetworkOptions& options);
  bool any_size = false;  ///< works on images of other sizes than it was made for (no dense layer over positions)

  NetworkOptions defaults() const;  ///< the usual shape, and every setting
};

/// Settings that many architectures have.
Parameter width_parameter(const std::string& initial, const std::string& help);
Parameter dropout_parameter(const std::string& initial);

/// Builds it with weights drawn from `seed`; settings not given take the architecture's defaults. Throws UserError on
/// an unknown architecture or setting, and on a value out of range.
std::shared_ptr<Network> make_network(const std::string& arch, NetworkOptions options, uint64_t seed);

/// The same for weights that come from elsewhere, all of them: none are drawn.
std::shared_ptr<Network> make_unfilled_network(const std::string& arch, NetworkOptions options);

/// The settings given, and the architecture's defaults for the others. Throws UserError on an unknown one.
std::map<std::string, double> complete_settings(const std::string& arch, std::map<std::string, double> settings);

/// The side of the smallest images that it can take; options.size is one that it takes. Throws like make_network.
int64_t smallest_side(const std::string& arch, NetworkOptions options);

/// Parameters and buffers of one network into another of the same shape.
void copy_weights(const Network& from, Network& to);

}  // namespace fercli
