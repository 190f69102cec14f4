#pragma once

#include <torch/types.h>

#include "models/kernels/fast_conv.hpp"

namespace fercli {

/// While it lives, convolutions with fixed weights that this thread runs round quickly even where no gradient is
/// wanted.
class QuickRounding {
 public:
  QuickRounding();
  ~QuickRounding();
  QuickRounding(const QuickRounding&) = delete;
  QuickRounding& operator=(const QuickRounding&) = delete;
};

/// ReLU(conv(x) + bias + shortcut) with fixed weights, differentiable in x and shortcut. bias float32 (O); shortcut may
/// be undefined.
torch::Tensor fused_conv(const c10::intrusive_ptr<FastConv>& conv, const torch::Tensor& x, const torch::Tensor& bias,
                         const torch::Tensor& shortcut, bool relu);

/// BatchNorm in training: parameters and running statistics, float32 (O); the latter are moved at each call.
struct BatchNorm {
  torch::Tensor scale, shift, running_mean, running_var;
  double momentum, eps;
};

/// ReLU(BatchNorm(conv(x)) + shortcut) with the batch's statistics, differentiable in x, weight, scale, shift and
/// shortcut, which may be undefined.
torch::Tensor fused_conv(const c10::intrusive_ptr<FastConv>& conv, const torch::Tensor& x, const torch::Tensor& weight,
                         const BatchNorm& norm, const torch::Tensor& shortcut, bool relu);

}  // namespace fercli
