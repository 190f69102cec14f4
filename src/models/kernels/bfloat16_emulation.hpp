#pragma once

#include <torch/types.h>

#include "core/runtime.hpp"

namespace fercli {

/// Must bfloat16 arithmetic on such a tensor be emulated, as this CPU (or what oneDNN may use of it) has none?
inline bool needs_bfloat16_emulation(const torch::Tensor& x) {
  static const bool has_bfloat16 = cpu_has_bfloat16();
  return !has_bfloat16 && x.device().is_cpu() && x.scalar_type() == torch::kBFloat16;
}

/// work(x, weight, bias), a convolution (bias may be undefined). bfloat16 without hardware is emulated as hardware
/// works: products are added up in float32, and the result and all gradients are rounded to bfloat16. LibTorch's own
/// loops add up in bfloat16, or fail where it trusts oneDNN to do it.
template <class Work>
torch::Tensor with_bfloat16_emulated(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                     const Work& work) {
  if (!needs_bfloat16_emulation(x)) return work(x, weight, bias);
  const auto widened = [](const torch::Tensor& values) {
    return values.defined() ? values.to(torch::kFloat32) : values;
  };
  return work(widened(x), widened(weight), widened(bias)).to(torch::kBFloat16);
}

}  // namespace fercli
