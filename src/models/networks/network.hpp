#pragma once

#include <torch/nn/module.h>

#include "models/networks/architecture.hpp"

namespace fercli {

/// Maps normalised images (N,C,H,W) to logits (N,K). The arithmetic follows the type of the input: float32 parameters
/// are cast on the way when it is bfloat16.
class Network : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

}  // namespace fercli
