#include "models/networks/bound_pass.hpp"

#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

namespace {

thread_local BoundPass* active_bound_pass = nullptr;

}  // namespace

BoundPass::BoundPass(Network& network, torch::Tensor labels)
    : labels_(std::move(labels)), network_(network), trains_(network.is_training()) {
  for (const auto& module : network_.modules()) {
    if (auto layer = std::dynamic_pointer_cast<Layer>(module)) layers_.emplace_back(layer, layer->is_training());
  }
  network_.eval();  // dropout, which the network itself calls
  for (const auto& [layer, trains] : layers_) layer->train(trains);
  active_bound_pass = this;
}

BoundPass::~BoundPass() {
  active_bound_pass = nullptr;
  network_.train(trains_);
  for (const auto& [layer, trains] : layers_) layer->train(trains);
}

BoundPass* BoundPass::active() {
  return active_bound_pass;
}

torch::Tensor BoundPass::worst_logits(const torch::Tensor& answers) const {
  const int64_t n = labels_.size(0);
  const auto upper = answers.narrow(0, 2 * n, n);
  if (has_margins_) return upper;
  const auto label = labels_.unsqueeze(1);
  return (upper - answers.narrow(0, n, n).gather(1, label)).scatter(1, label, 0);
}

torch::Tensor BoundPass::margins(const torch::Tensor& features, const torch::Tensor& weight,
                                 const torch::Tensor& bias) {
  has_margins_ = true;
  const int64_t n = labels_.size(0);
  const auto lower = features.narrow(0, n, n), upper = features.narrow(0, 2 * n, n);
  const auto difference = weight.unsqueeze(0) - weight.index_select(0, labels_).unsqueeze(1);  // (N,K,I)
  const auto worst = (difference.matmul(((lower + upper) / 2).unsqueeze(2)) +
                      difference.abs().matmul(((upper - lower) / 2).unsqueeze(2)))
                         .squeeze(2) +
                     bias.unsqueeze(0) - bias.index_select(0, labels_).unsqueeze(1);
  return at::cat({at::linear(features.narrow(0, 0, n), weight, bias), worst, worst});
}

}  // namespace fercli
