#pragma once

#include <string>

#include "models/architecture.hpp"
#include "models/model.hpp"

namespace fercli {

/// One of the program's own architectures. The network is kept as the float32 original; executors work on a converted
/// copy (BatchNorm folded, cast, channels-last).
class NetworkModel : public Model {
 public:
  NetworkModel(std::shared_ptr<Network> network, std::string arch, NetworkOptions options)
      : network_(std::move(network)), arch_(std::move(arch)), options_(std::move(options)) {}

  std::shared_ptr<const Executor> executor(Precision precision, torch::Device device) const override;
  bool supports(Precision) const override { return true; }
  std::shared_ptr<Network> network() const override { return network_; }

 private:
  std::shared_ptr<Network> network_;
  std::string arch_;
  NetworkOptions options_;
};

}  // namespace fercli
