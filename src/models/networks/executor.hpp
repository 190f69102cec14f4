#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>

#include "core/registry.hpp"
#include "core/runtime.hpp"

namespace fercli {

class Model;  // models/networks/model.hpp

/// How a model is to run.
struct Execution {
  Precision precision = Precision::Float32;
  torch::Device device = torch::kCPU;
  std::string executor = "auto";  ///< name of an ExecutorEntry; auto: the suitable one of highest priority
};

/// One forward pass that remembers how to go back.
struct Pass {
  torch::Tensor logits;  ///< float32 (N,K), without graph
  /// dlogits float32 (N,K) -> sum_k dlogits[n,k] * d logits[n,k] / d input[n], of the input's shape and type.
  std::function<torch::Tensor(const torch::Tensor& dlogits)> pullback;
};

/// A model made ready to run: fixed weights in one arithmetic, on one device. Inputs are (N,C,H,W), normalised,
/// channels-last, of the arithmetic's type. The result for an image must not depend on the others of the batch, as long
/// as there are at least two.
class Executor {
 public:
  virtual ~Executor() = default;

  virtual torch::Tensor logits(const torch::Tensor& input) const = 0;  ///< float32 (N,K), without graph

  /// The same, rounded as in `run`: enough for a search, not for a verdict.
  virtual torch::Tensor quick_logits(const torch::Tensor& input) const { return logits(input); }

  /// Its logits may round otherwise than `logits`, to be faster. `pullback` may be called again only with `keep`.
  virtual Pass run(const torch::Tensor& input, bool keep) const = 0;
};

/// An executor of differentiable LibTorch operations.
class AutogradExecutor : public Executor {
 public:
  virtual torch::Tensor forward(const torch::Tensor& input) const = 0;  ///< (N,K) of any float type

  torch::Tensor logits(const torch::Tensor& input) const final;
  torch::Tensor quick_logits(const torch::Tensor& input) const final;
  Pass run(const torch::Tensor& input, bool keep) const final;
};

/// One way of running models.
struct ExecutorEntry {
  static constexpr const char* kKind = "executor";
  std::string name;
  std::string summary;  ///< what it runs, and how; a part of a sentence in `--help`
  int priority;         ///< the faster, the higher
  bool (*suits)(const Model& model, const Execution& execution);
  std::shared_ptr<const Executor> (*make)(const Model& model, const Execution& execution);
};

/// The entry that runs `model` so; null: none suits, or not the one that is asked for.
const ExecutorEntry* find_executor(const Model& model, const Execution& execution);

}  // namespace fercli
