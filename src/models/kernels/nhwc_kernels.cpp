#include "models/kernels/nhwc_kernels.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/vectorised.hpp"

namespace fercli {

namespace {

/// Rows summed in float32 before the sums go on in float64.
constexpr int64_t kBlock = 64;

inline float load(float value) {
  return value;
}

inline float load(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

inline void store(float* place, float value) {
  *place = value;
}

/// To the nearest, ties to even; not-a-number stays so.
inline void store(Bf16* place, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  place->bits = static_cast<uint16_t>(value != value ? 0x7fc0 : rounded);
}

inline float positive(float value) {
  return value < 0 ? 0 : value;  // not-a-number passes
}

/// Both are loaded whatever the sign, or the compiler keeps the branch.
FERCLI_VECTORISED void relu_gradient_loop(const float* __restrict dy, const float* __restrict y, float* __restrict dx,
                                          int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = dy[i];
    dx[i] = y[i] > 0 ? gradient : 0;
  }
}

/// As integers: a positive bfloat16 is a positive int16.
FERCLI_VECTORISED void relu_gradient_loop(const Bf16* __restrict dy, const Bf16* __restrict y, Bf16* __restrict dx,
                                          int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint16_t gradient = dy[i].bits;
    dx[i].bits = static_cast<int16_t>(y[i].bits) > 0 ? gradient : 0;
  }
}

template <class T>
FERCLI_VECTORISED void add_block(const T* __restrict x, int64_t rows, int64_t channels, float* __restrict sum,
                                 float* __restrict square_sum) {
  for (int64_t row = 0; row < rows; ++row, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float value = load(x[c]);
      sum[c] += value;
      square_sum[c] += value * value;
    }
  }
}

template <class T, bool kShortcut, bool kRelu>
FERCLI_VECTORISED void scale_and_shift_loop(const T* __restrict x, const float* __restrict scale,
                                            const float* __restrict shift, const T* __restrict shortcut,
                                            T* __restrict y, int64_t rows, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      float value = load(x[c]) * scale[c] + shift[c];
      if (kShortcut) value += load(shortcut[row * channels + c]);
      store(y + c, kRelu ? positive(value) : value);
    }
  }
}

template <class T, bool kGate>
inline float gated(const T* dy, const T* x, const float* scale, const float* shift, int64_t c) {
  const float gradient = load(dy[c]);
  if (!kGate) return gradient;
  return load(x[c]) * scale[c] + shift[c] > 0 ? gradient : 0;
}

template <class T, bool kGate>
FERCLI_VECTORISED void add_gradient_block(const T* __restrict dy, const T* __restrict x, const float* __restrict scale,
                                          const float* __restrict shift, int64_t rows, int64_t channels,
                                          float* __restrict sum, float* __restrict product_sum) {
  for (int64_t row = 0; row < rows; ++row, dy += channels, x += channels) {
    for (int64_t c = 0; c < channels; ++c) {
      const float gradient = gated<T, kGate>(dy, x, scale, shift, c);
      sum[c] += gradient;
      product_sum[c] += gradient * load(x[c]);
    }
  }
}

template <class T, bool kGate>
FERCLI_VECTORISED void combine_gradient_loop(const T* dy, const T* __restrict x, const float* __restrict scale,
                                             const float* __restrict shift, const float* __restrict by_gradient,
                                             const float* __restrict by_input, const float* __restrict constant, T* dx,
                                             int64_t rows, int64_t channels) {
  for (int64_t row = 0; row < rows; ++row, dy += channels, x += channels, dx += channels) {
    FERCLI_INDEPENDENT
    for (int64_t c = 0; c < channels; ++c) {
      const float gradient = gated<T, kGate>(dy, x, scale, shift, c);
      store(dx + c, gradient * by_gradient[c] + load(x[c]) * by_input[c] + constant[c]);
    }
  }
}

/// `add(first_row, rows, sums, other_sums)` adds up blocks in float32; the blocks are added up in float64.
template <class Add>
void in_blocks(int64_t rows, int64_t channels, double* sum, double* other_sum, const Add& add) {
  std::vector<float> block(2 * channels);
  for (int64_t row = 0; row < rows; row += kBlock) {
    std::fill(block.begin(), block.end(), 0.0F);
    add(row, std::min(kBlock, rows - row), block.data(), block.data() + channels);
    for (int64_t c = 0; c < channels; ++c) {
      sum[c] += block[c];
      other_sum[c] += block[channels + c];
    }
  }
}

}  // namespace

template <class T>
void relu_gradient(const T* dy, const T* y, T* dx, int64_t count) {
  relu_gradient_loop(dy, y, dx, count);
}

template <class T>
void add_moments(const T* x, int64_t rows, int64_t channels, double* sum, double* square_sum) {
  in_blocks(rows, channels, sum, square_sum, [&](int64_t first, int64_t count, float* sums, float* squares) {
    add_block(x + first * channels, count, channels, sums, squares);
  });
}

template <class T>
void scale_and_shift(const T* x, const float* scale, const float* shift, const T* shortcut, bool relu, T* y,
                     int64_t rows, int64_t channels) {
  const auto loop = shortcut != nullptr
                        ? (relu ? scale_and_shift_loop<T, true, true> : scale_and_shift_loop<T, true, false>)
                        : (relu ? scale_and_shift_loop<T, false, true> : scale_and_shift_loop<T, false, false>);
  loop(x, scale, shift, shortcut, y, rows, channels);
}

template <class T>
void add_gradient_moments(const T* dy, const T* x, const ReluGate* gate, int64_t rows, int64_t channels, double* sum,
                          double* product_sum) {
  const auto loop = gate != nullptr ? add_gradient_block<T, true> : add_gradient_block<T, false>;
  const float* scale = gate != nullptr ? gate->scale : nullptr;
  const float* shift = gate != nullptr ? gate->shift : nullptr;
  in_blocks(rows, channels, sum, product_sum, [&](int64_t first, int64_t count, float* sums, float* products) {
    loop(dy + first * channels, x + first * channels, scale, shift, count, channels, sums, products);
  });
}

template <class T>
void combine_gradient(const T* dy, const T* x, const ReluGate* gate, const float* by_gradient, const float* by_input,
                      const float* constant, T* dx, int64_t rows, int64_t channels) {
  if (gate != nullptr) {
    combine_gradient_loop<T, true>(dy, x, gate->scale, gate->shift, by_gradient, by_input, constant, dx, rows,
                                   channels);
  } else {
    combine_gradient_loop<T, false>(dy, x, nullptr, nullptr, by_gradient, by_input, constant, dx, rows, channels);
  }
}

template <class T>
void unfold(const T* image, const Windows& w, int64_t row, T* columns) {
  const int64_t line = (w.width + 2 * w.padding) * w.channels, run = w.kernel * w.channels;
  std::vector<T> padded((w.height + 2 * w.padding) * line, T{});
  for (int64_t y = 0; y < w.height; ++y) {
    std::copy_n(image + y * w.width * w.channels, w.width * w.channels,
                padded.data() + (y + w.padding) * line + w.padding * w.channels);
  }
  for (int64_t y = 0; y < w.out_height; ++y) {
    for (int64_t x = 0; x < w.out_width; ++x, columns += row) {
      const T* source = padded.data() + y * w.stride * line + x * w.stride * w.channels;
      T* target = columns;
      for (int64_t tap = 0; tap < w.kernel; ++tap, source += line) {
        for (int64_t i = 0; i < run; ++i) *target++ = source[i];
      }
      while (target < columns + row) *target++ = T{};
    }
  }
}

template <class T>
void fold(const T* columns, const Windows& w, int64_t row, T* image) {
  const int64_t line = (w.width + 2 * w.padding) * w.channels, run = w.kernel * w.channels;
  std::vector<float> padded((w.height + 2 * w.padding) * line, 0.0F);
  for (int64_t y = 0; y < w.out_height; ++y) {
    for (int64_t x = 0; x < w.out_width; ++x, columns += row) {
      float* target = padded.data() + y * w.stride * line + x * w.stride * w.channels;
      const T* source = columns;
      for (int64_t tap = 0; tap < w.kernel; ++tap, target += line) {
        for (int64_t i = 0; i < run; ++i) target[i] += load(*source++);
      }
    }
  }
  for (int64_t y = 0; y < w.height; ++y) {
    const float* source = padded.data() + (y + w.padding) * line + w.padding * w.channels;
    for (int64_t i = 0; i < w.width * w.channels; ++i) store(image + y * w.width * w.channels + i, source[i]);
  }
}

#define FERCLI_INSTANTIATE(T)                                                                                       \
  template void relu_gradient(const T*, const T*, T*, int64_t);                                                     \
  template void add_moments(const T*, int64_t, int64_t, double*, double*);                                          \
  template void scale_and_shift(const T*, const float*, const float*, const T*, bool, T*, int64_t, int64_t);        \
  template void add_gradient_moments(const T*, const T*, const ReluGate*, int64_t, int64_t, double*, double*);      \
  template void combine_gradient(const T*, const T*, const ReluGate*, const float*, const float*, const float*, T*, \
                                 int64_t, int64_t);                                                                 \
  template void unfold(const T*, const Windows&, int64_t, T*);                                                      \
  template void fold(const T*, const Windows&, int64_t, T*);

FERCLI_INSTANTIATE(float)
FERCLI_INSTANTIATE(Bf16)

}  // namespace fercli
