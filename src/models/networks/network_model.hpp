#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "models/networks/architecture.hpp"
#include "models/networks/model.hpp"

namespace fercli {

/// One of the program's own architectures. The network is kept as the float32 original; executors work on a converted
/// copy (BatchNorm folded, cast, channels-last), made when an arithmetic is first asked for and kept: a search in
/// bfloat16 asks for its float32 judge at every run. Weights that change afterwards want a new NetworkModel.
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

  struct Ready {
    Precision precision;
    torch::Device device;
    std::shared_ptr<const Executor> executor;
  };
  mutable std::mutex mutex_;
  mutable std::vector<Ready> ready_;
};

}  // namespace fercli
