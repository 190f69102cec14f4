#pragma once

#include <cstdint>

namespace fercli {

/// bfloat16 as stored.
struct Bf16 {
  uint16_t bits;
};

// Loops over channels-last activations, seen as `rows` (pixels of all images) times `channels`. T is float or Bf16;
// arithmetic and per-channel values are float32. Single-threaded: callers split the rows.

/// dx = dy where y > 0, else 0.
template <class T>
void relu_gradient(const T* dy, const T* y, T* dx, int64_t count);

/// sum[c] += sum over rows of x, square_sum[c] += of x².
template <class T>
void add_moments(const T* x, int64_t rows, int64_t channels, double* sum, double* square_sum);

/// y = x * scale + shift (+ shortcut), then ReLU if asked. shortcut may be null.
template <class T>
void scale_and_shift(const T* x, const float* scale, const float* shift, const T* shortcut, bool relu, T* y,
                     int64_t rows, int64_t channels);

/// A ReLU behind scale and shift: open where x * scale + shift > 0.
struct ReluGate {
  const float* scale;
  const float* shift;
};

/// sum[c] += sum over rows of g, product_sum[c] += of g * x, where g is dy where the gate is open, else 0 (no gate:
/// dy).
template <class T>
void add_gradient_moments(const T* dy, const T* x, const ReluGate* gate, int64_t rows, int64_t channels, double* sum,
                          double* product_sum);

/// dx = g * by_gradient + x * by_input + constant, g as above. dx may be dy.
template <class T>
void combine_gradient(const T* dy, const T* x, const ReluGate* gate, const float* by_gradient, const float* by_input,
                      const float* constant, T* dx, int64_t rows, int64_t channels);

/// The windows of a square convolution over one image.
struct Windows {
  int64_t channels, height, width, kernel, stride, padding, out_height, out_width;
};

/// image (height,width,channels) -> columns (out_height,out_width,row), window values in the order (row, column,
/// channel), zero up to `row`.
template <class T>
void unfold(const T* image, const Windows& windows, int64_t row, T* columns);

/// The transpose of `unfold`: adds up the columns' values at their pixels.
template <class T>
void fold(const T* columns, const Windows& windows, int64_t row, T* image);

}  // namespace fercli
