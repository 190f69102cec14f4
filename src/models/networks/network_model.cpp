#include "models/networks/network_model.hpp"

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

class NetworkExecutor : public Executor {
 public:
  explicit NetworkExecutor(std::shared_ptr<Network> network) : network_(std::move(network)) {}
  torch::Tensor forward(const torch::Tensor& input) const override { return network_->forward(input); }

 private:
  std::shared_ptr<Network> network_;
};

}  // namespace

std::shared_ptr<const Executor> NetworkModel::executor(Precision precision, torch::Device device) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& known : ready_) {
    if (known.precision == precision && known.device == device) return known.executor;
  }
  auto copy = Registry<Architecture>::instance().get(arch_).make(options_);
  copy_weights(*network_, *copy);
  copy->eval();
  for (const auto& module : copy->modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->prepare_inference(scalar_type(precision));
  }
  for (auto& parameter : copy->parameters()) parameter.set_requires_grad(false);
  copy->to(device);
  ready_.push_back({precision, device, std::make_shared<NetworkExecutor>(std::move(copy))});
  return ready_.back().executor;
}

}  // namespace fercli
