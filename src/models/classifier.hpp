#pragma once

#include <torch/types.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/runtime.hpp"
#include "data/label_set.hpp"
#include "models/networks/architecture.hpp"

namespace fercli {

class Model;     // models/networks/model.hpp
class Executor;  // models/networks/model.hpp

/// From stored image to network input: grey/RGB conversion, bilinear resize (or a cut from the middle), (x - mean) /
/// std per channel.
struct Preprocessing {
  int64_t channels = 1;
  int64_t size = 48;              ///< input height, and width unless that is given
  std::vector<double> mean{0.5};  ///< one value, or one per channel; pixels in [0,1]
  std::vector<double> std{0.5};
  int64_t width = 0;      ///< 0: square
  int64_t crop_from = 0;  ///< side that images are brought to before their middle is cut out; 0: no cut

  int64_t columns() const { return width > 0 ? width : size; }
  int64_t shown_side() const { return crop_from > 0 ? crop_from : size; }  ///< of a square image that loses nothing
};

/// Test-time augmentation: logits are averaged over views of the image.
enum class Tta { None, Flip, TenCrop };

Tta parse_tta(const std::string& word);  ///< "none", "flip", "ten-crop"; throws UserError
const char* to_string(Tta tta);

/// One forward pass that remembers how to go back.
struct Linearization {
  torch::Tensor logits;  ///< float32 (N,K), before softmax
  /// dlogits float32 (N,K) -> sum_k dlogits[n,k] * d logits[n,k] / d x[n], float32 (N,C,H,W). May be called repeatedly
  /// when `linearize` was told to keep the graph.
  std::function<torch::Tensor(const torch::Tensor& dlogits)> pullback;
};

/// A network with its preprocessing and class names: the only thing attacks, evaluation and serving see of a model.
/// Weights never get gradients. In bfloat16 (or with BatchNorm folded) it works on its own converted copy of the
/// weights; a model that cannot run in bfloat16 runs in float32, and `precision()` says so. The result for an image
/// does not depend on the batch it is in, nor on the number of threads.
class Classifier {
 public:
  /// `network` is kept as the float32 original; the executing copy (BatchNorm folded, cast, channels-last) is made
  /// here.
  Classifier(std::shared_ptr<Network> network, std::string arch, NetworkOptions options, Preprocessing preprocessing,
             LabelSet classes, Precision precision = Precision::Float32, torch::Device device = torch::kCPU);

  /// Any model, such as an imported graph; `arch` is what results call it.
  Classifier(std::shared_ptr<const Model> model, std::string arch, NetworkOptions options, Preprocessing preprocessing,
             LabelSet classes, Precision precision = Precision::Float32, torch::Device device = torch::kCPU);

  /// x: (N,C,H,W) float32 in [0,1], any C in {1,3}, any H = W. Returns float32 (N,K), on the CPU. No graph is kept.
  torch::Tensor logits(const torch::Tensor& x) const;

  /// One forward, and one backward at each call of `pullback`. The only way an attack gets a gradient.
  Linearization linearize(const torch::Tensor& x, bool keep_graph = false) const;

  Classifier with_precision(Precision precision) const;  ///< the same network in another arithmetic
  Classifier with_tta(Tta tta) const;

  const LabelSet& classes() const { return classes_; }
  const Preprocessing& preprocessing() const { return preprocessing_; }
  const std::string& arch() const { return arch_; }
  const NetworkOptions& options() const { return options_; }
  Precision precision() const { return precision_; }
  torch::Device device() const { return device_; }
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

  torch::Tensor prepare(const torch::Tensor& x) const;
  torch::Tensor run(const torch::Tensor& x) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Executor> executor_;
  std::string arch_;
  NetworkOptions options_;
  Preprocessing preprocessing_;
  LabelSet classes_;
  Precision precision_;
  torch::Device device_;
  Tta tta_ = Tta::None;
  std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
};

}  // namespace fercli
