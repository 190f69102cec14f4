#pragma once

#include <torch/types.h>

#include <memory>

#include "core/runtime.hpp"

namespace fercli {

class Network;

/// A model made ready to run: fixed weights in one arithmetic, on one device.
class Executor {
 public:
  virtual ~Executor() = default;

  /// input: (N,C,H,W), normalised, channels-last, of the arithmetic's type. Returns (N,K) logits, differentiable in the
  /// input. The result for an image must not depend on the others of the batch, as long as there are at least two.
  virtual torch::Tensor forward(const torch::Tensor& input) const = 0;
};

/// Where a Classifier gets its arithmetic from: one of the program's architectures with weights, or a graph read from a
/// foreign file.
class Model {
 public:
  virtual ~Model() = default;

  /// Throws UserError when the model cannot run there. Only called with a supported precision.
  virtual std::shared_ptr<const Executor> executor(Precision precision, torch::Device device) const = 0;

  /// Float32 always; a Classifier asked for another arithmetic that is not supported works in float32 and says so.
  virtual bool supports(Precision precision) const { return precision == Precision::Float32; }

  /// The trainable network behind it; null for an imported graph.
  virtual std::shared_ptr<Network> network() const { return nullptr; }
};

}  // namespace fercli
