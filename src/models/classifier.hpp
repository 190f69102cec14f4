#pragma once

#include <torch/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/networks/executor.hpp"
#include "models/networks/network_spec.hpp"

namespace fercli {

/// Test-time augmentation: logits are averaged over views of the image. Ten-crop: corners and middle with their mirror
/// images, as large as the windows that the network was trained on (see NetworkSpec::window).
enum class Tta { None, Flip, TenCrop };

Tta parse_tta(const std::string& word);  ///< "none", "flip", "ten-crop"; throws UserError
const char* to_string(Tta tta);

/// One forward pass that remembers how to go back.
struct Linearization {
  torch::Tensor logits;  ///< float32 (N,K), before softmax
  /// dlogits float32 (N,K) -> sum_k dlogits[n,k] * d logits[n,k] / d x[n], float32 (N,C,H,W). May be called repeatedly
  /// when `linearize` was asked to keep the graph.
  std::function<torch::Tensor(const torch::Tensor& dlogits)> pullback;
};

/// A network with its preprocessing and class names: the only thing attacks, evaluation and serving see of a model.
/// Weights never get gradients. In bfloat16 (or with BatchNorm folded) it works on its own converted copy of the
/// weights; a model that cannot run in bfloat16 runs in float32, and `precision()` says so. The result for an image
/// does not depend on the batch it is in, nor on the number of threads.
class Classifier {
 public:
  /// `network` is kept as the float32 original; the executing copy is made here. Throws UserError when the executor
  /// that is asked for does not run it.
  Classifier(std::shared_ptr<Network> network, NetworkSpec spec, const Execution& execution = {});

  /// Any model, such as an imported graph.
  Classifier(std::shared_ptr<const Model> model, NetworkSpec spec, const Execution& execution = {});

  /// x: (N,C,H,W) float32 in [0,1], any C in {1,3}, any H = W. Returns float32 (N,K), on the CPU. No graph is kept.
  torch::Tensor logits(const torch::Tensor& x) const;

  /// The same, rounded as `linearize` does, which is faster: enough for a search, not for a verdict.
  torch::Tensor quick_logits(const torch::Tensor& x) const;

  /// One forward, and one backward at each call of `pullback`. The only way an attack gets a gradient.
  Linearization linearize(const torch::Tensor& x, bool keep_graph = false) const;

  Classifier with_precision(Precision precision) const;  ///< the same network in another arithmetic
  Classifier with_tta(Tta tta) const;

  const NetworkSpec& spec() const { return spec_; }
  const LabelSet& classes() const { return spec_.classes; }
  const Preprocessing& preprocessing() const { return spec_.preprocessing; }
  const std::string& arch() const { return spec_.arch; }
  const NetworkOptions& options() const { return spec_.options; }
  const Execution& execution() const { return execution_; }
  Precision precision() const { return execution_.precision; }
  torch::Device device() const { return execution_.device; }
  Tta tta() const { return tta_; }
  const std::shared_ptr<const Model>& model() const { return model_; }

  /// The trainable network behind it. Throws UserError for an imported graph, which has none.
  std::shared_ptr<Network> network() const;

  /// Images sent forward and backward through this classifier and the copies made from it, since it was made.
  int64_t forwards() const;
  int64_t backwards() const;

 private:
  struct Counters {
    std::atomic<int64_t> forward{0}, backward{0};
  };

  using LogitsOf = torch::Tensor (Executor::*)(const torch::Tensor& input) const;
  torch::Tensor forward(const torch::Tensor& x, LogitsOf logits_of) const;
  std::vector<torch::Tensor> inputs(const torch::Tensor& x) const;
  Linearization linearize_chunk(const torch::Tensor& x, bool keep_graph) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Executor> executor_;
  NetworkSpec spec_;
  Execution execution_;
  Tta tta_ = Tta::None;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
};

}  // namespace fercli
