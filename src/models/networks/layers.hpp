#pragma once

#include <torch/nn/module.h>

#include "core/random.hpp"
#include "models/kernels/fast_conv.hpp"
#include "models/networks/layer_trace.hpp"

namespace fercli {

enum class Activation { None, Relu };

/// A layer with weights. Inputs may be float32 or bfloat16; parameters are cast to the input's type on the way.
class Layer : public torch::nn::Module {
 public:
  /// Draws the weights: He et al. 2015 (fan-in, normal).
  virtual void initialise(Rng rng) = 0;

  /// Turns a trained layer into its fastest form for fixed weights: BatchNorm folded into the weights, cast to `type`.
  virtual void prepare_inference(torch::ScalarType type) = 0;

  /// Lets training on the CPU take the fast path, which fuses convolution, BatchNorm and ReLU, where there is one.
  virtual void accelerate_training() {}
};

struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = -1;  ///< -1: kernel/2 ("same" at stride 1)
  int64_t groups = 1;
  bool batch_norm = true;  ///< else a bias
  Activation activation = Activation::Relu;
};

/// Convolution, BatchNorm (or bias), activation. Parameters: weight (O,I/groups,k,k); bias (O), or scale, shift (O)
/// with buffers running_mean, running_var.
class Conv : public Layer {
 public:
  Conv(int64_t in, int64_t out, int64_t kernel, ConvOptions options = {});

  torch::Tensor forward(const torch::Tensor& x);
  /// The same with `shortcut` added before the activation.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& shortcut);

  void initialise(Rng rng) override;
  void prepare_inference(torch::ScalarType type) override;
  void accelerate_training() override;

 private:
  torch::Tensor run(const torch::Tensor& x, const torch::Tensor& shortcut);
  torch::Tensor run_fused(const torch::Tensor& x, const torch::Tensor& shortcut);
  torch::Tensor run_unfused(const torch::Tensor& x, const torch::Tensor& shortcut);
  void record(LayerTrace& trace, Clock::time_point begun, const torch::Tensor& output) const;

  int64_t in_, out_, kernel_;
  ConvOptions options_;
  torch::Tensor weight_, bias_, scale_, shift_, running_mean_, running_var_;
  c10::intrusive_ptr<FastConv> fast_;  ///< null: LibTorch's convolution
  torch::Tensor fast_bias_;            ///< float32; of the layer prepared for inference
};

/// Dense layer on (N,I), optional BatchNorm, activation. It is computed as a 1x1 convolution, whose bits, unlike a
/// matrix product's, do not depend on the batch size. The output layer works in float32 always.
class Dense : public Layer {
 public:
  enum class Role { Hidden, Output };
  Dense(int64_t in, int64_t out, Role role, bool batch_norm = false);

  torch::Tensor forward(const torch::Tensor& x);
  void initialise(Rng rng) override;
  void prepare_inference(torch::ScalarType type) override;

  bool gives_logits() const;         ///< the output layer, without BatchNorm behind it
  void scale_output(double factor);  ///< multiplies the logits

 private:
  torch::Tensor bounded(const torch::Tensor& x);  ///< in a BoundPass

  int64_t in_, out_;
  Role role_;
  torch::Tensor weight_, bias_, scale_, shift_, running_mean_, running_var_;
};

torch::Tensor max_pool(const torch::Tensor& x, int64_t kernel, int64_t stride, int64_t padding = 0);

/// (N,C,H,W) -> (N,C), float32.
torch::Tensor global_average(const torch::Tensor& x);

}  // namespace fercli
