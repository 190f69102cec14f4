#pragma once

#include <torch/types.h>

namespace fercli {

/// A square, dense 2-D convolution on the CPU with packed weights. Activations are channels-last (others are
/// converted), all float32 or all bfloat16, float32 inside; weights, their gradients and the bias are float32 always.
/// The bits of an image's results do not depend on the batch, as long as it has two images or more. Thread-safe after
/// `set_weight`.
class FastConv : public torch::CustomClassHolder {
 public:
  struct Shape {
    int64_t in, out, kernel, stride, padding;
  };

  /// weight (O,I,k,k), as it is now. It is packed when first needed, and anew when a bit of it differs from what was
  /// set before. A training pass sets it each time: LibTorch's optimizers write past the tensors' version counters, so
  /// that only the values show a change.
  virtual void set_weight(const torch::Tensor& weight) = 0;

  /// Exact: float32 products summed directly, as verdicts need them. Quick: float32 by Winograd's minimal filtering
  /// where it fits, two to three times as fast, at about ten times the rounding errors (some 1e-6 of the result's
  /// norm); enough for training and for gradients, which are always computed so.
  enum class Rounding { Exact, Quick };

  /// x (N,I,H,W), bias (O) or undefined, shortcut shaped like the result or undefined
  /// -> conv(x) + bias + shortcut, then ReLU if asked.
  virtual torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias, const torch::Tensor& shortcut,
                                bool relu, Rounding rounding) = 0;

  /// dy (N,O,h,w) -> the gradient of the input, (N,I,height,width).
  virtual torch::Tensor backward_data(const torch::Tensor& dy, int64_t height, int64_t width) = 0;

  /// -> the gradient of the weights, float32 (O,I,k,k).
  virtual torch::Tensor backward_weight(const torch::Tensor& x, const torch::Tensor& dy) = 0;
};

/// Null where the program is built without oneDNN.
c10::intrusive_ptr<FastConv> make_fast_conv(const FastConv::Shape& shape);

/// Whether the CPU works on such a tensor itself: on the CPU, in float32 or, where the CPU has it, bfloat16.
bool fits_fast_conv(const torch::Tensor& x);

}  // namespace fercli
