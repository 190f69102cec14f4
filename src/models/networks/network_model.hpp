#pragma once

#include <string>

#include "models/networks/architecture.hpp"
#include "models/networks/model.hpp"

namespace fercli {

/// One of the program's own architectures. The network is kept as the float32 original; executors work on a copy.
/// Weights that change afterwards want a new NetworkModel.
class NetworkModel : public Model {
 public:
  NetworkModel(std::shared_ptr<Network> network, std::string arch, NetworkOptions options)
      : network_(std::move(network)), arch_(std::move(arch)), options_(std::move(options)) {}

  std::shared_ptr<Network> network() const override { return network_; }

  std::shared_ptr<Network> copy() const;  ///< in eval mode, its weights fixed

 private:
  std::shared_ptr<Network> network_;
  std::string arch_;
  NetworkOptions options_;
};

}  // namespace fercli
