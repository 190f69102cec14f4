#include "models/networks/executor.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "models/kernels/fused_conv.hpp"

namespace fercli {

namespace {

/// Tracing would write down a conversion that changes nothing.
torch::Tensor in_float32(const torch::Tensor& logits) {
  return logits.scalar_type() == torch::kFloat32 ? logits : logits.to(torch::kFloat32);
}

}  // namespace

torch::Tensor AutogradExecutor::logits(const torch::Tensor& input) const {
  const torch::NoGradGuard no_grad;
  return in_float32(forward(input));
}

torch::Tensor AutogradExecutor::quick_logits(const torch::Tensor& input) const {
  const QuickRounding quick;
  return logits(input);
}

Pass AutogradExecutor::run(const torch::Tensor& input, bool keep) const {
  const torch::AutoGradMode with_grad(true);
  const auto from = input.detach().requires_grad_(true);
  const auto logits = in_float32(forward(from));
  return {logits.detach(), [from, logits, keep](const torch::Tensor& dlogits) {
            return torch::autograd::grad({logits}, {from}, {dlogits}, keep)[0];
          }};
}

const ExecutorEntry* find_executor(const Model& model, const Execution& execution) {
  const ExecutorEntry* best = nullptr;
  for (const auto& entry : Registry<ExecutorEntry>::instance().all()) {
    if (execution.executor != "auto" && execution.executor != entry.name) continue;
    if (entry.suits(model, execution) && (best == nullptr || entry.priority > best->priority)) best = &entry;
  }
  return best;
}

}  // namespace fercli
