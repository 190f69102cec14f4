#pragma once

#include <torch/types.h>

#include "models/kernels/nhwc_kernels.hpp"

namespace fercli {

/// work(Bf16{}) or work(float{}), as the values of x are stored.
template <class Work>
void with_type(const torch::Tensor& x, const Work& work) {
  if (x.scalar_type() == torch::kBFloat16) {
    work(Bf16{});
  } else {
    work(float{});
  }
}

}  // namespace fercli
