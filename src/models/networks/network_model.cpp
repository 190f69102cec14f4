#include "models/networks/network_model.hpp"

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

class NetworkExecutor : public AutogradExecutor {
 public:
  explicit NetworkExecutor(std::shared_ptr<Network> network) : network_(std::move(network)) {}
  torch::Tensor forward(const torch::Tensor& input) const override { return network_->forward(input); }

 private:
  std::shared_ptr<Network> network_;
};

bool is_network(const Model& model, const Execution&) {
  return dynamic_cast<const NetworkModel*>(&model) != nullptr;
}

std::shared_ptr<const Executor> make_folded(const Model& model, const Execution& execution) {
  const auto copy = dynamic_cast<const NetworkModel&>(model).copy();
  for (const auto& module : copy->modules()) {
    if (auto* layer = dynamic_cast<Layer*>(module.get())) layer->prepare_inference(scalar_type(execution.precision));
  }
  copy->to(execution.device);
  return std::make_shared<NetworkExecutor>(copy);
}

std::shared_ptr<const Executor> make_plain(const Model& model, const Execution& execution) {
  const auto copy = dynamic_cast<const NetworkModel&>(model).copy();
  copy->to(execution.device);
  return std::make_shared<NetworkExecutor>(copy);
}

const Register<ExecutorEntry> folded_entry{
    {"folded", "fercli's own, BatchNorm folded into the convolutions", 10, is_network, make_folded}};
const Register<ExecutorEntry> plain_entry{
    {"plain", "fercli's own, layer by layer as it was trained", 0, is_network, make_plain}};

}  // namespace

std::shared_ptr<Network> NetworkModel::copy() const {
  auto copy = Registry<Architecture>::instance().get(arch_).make(options_);
  copy_weights(*network_, *copy);
  copy->eval();
  for (auto& parameter : copy->parameters()) parameter.set_requires_grad(false);
  return copy;
}

}  // namespace fercli
