// The project's own kernels against the same sums written out, in float64. No LibTorch here: tests/arm64.sh compiles
// this file for another processor.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "models/kernels/nhwc_kernels.hpp"
#include "models/kernels/winograd.hpp"

namespace fercli::test {

namespace {

float wide(float value) {
  return value;
}

float wide(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

template <class T>
T narrow(float value);

template <>
float narrow<float>(float value) {
  return value;
}

/// Cut off, not rounded: any value will do for an input.
template <>
Bf16 narrow<Bf16>(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return {static_cast<uint16_t>(bits >> 16)};
}

/// Values in [-1,1], never 0, the same on every machine.
template <class T>
std::vector<T> numbers(int64_t count, uint32_t seed) {
  std::vector<T> values;
  uint32_t state = 2654435761u * (seed + 1);
  for (int64_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    values.push_back(narrow<T>((static_cast<float>(state >> 8) + 0.5F) / 8388608.0F - 1));
  }
  return values;
}

/// Relative error of storing a result.
template <class T>
constexpr double kStored = sizeof(T) == 2 ? 1 / 256.0 : 1e-6;

constexpr int64_t kRows = 131, kChannels = 21;  // more than two blocks; no multiple of a vector

template <class T>
class PlainKernels : public testing::Test {
 protected:
  const std::vector<T> dy = numbers<T>(kRows * kChannels, 1), x = numbers<T>(kRows * kChannels, 2);
  const std::vector<float> scale = numbers<float>(kChannels, 3), shift = numbers<float>(kChannels, 4);

  double gate(int64_t i, int64_t c) const { return wide(x[i]) * scale[c] + shift[c] > 0 ? wide(dy[i]) : 0; }
};

using ElementTypes = testing::Types<float, Bf16>;
TYPED_TEST_SUITE(PlainKernels, ElementTypes);

TYPED_TEST(PlainKernels, ReluLetsTheGradientThroughWhereItsOutputIsPositive) {
  std::vector<TypeParam> dx(this->x.size());
  relu_gradient(this->dy.data(), this->x.data(), dx.data(), static_cast<int64_t>(dx.size()));
  for (size_t i = 0; i < dx.size(); ++i) ASSERT_EQ(wide(dx[i]), wide(this->x[i]) > 0 ? wide(this->dy[i]) : 0) << i;
}

TYPED_TEST(PlainKernels, MomentsAreAddedToWhatIsThere) {
  std::vector<double> sum(kChannels, 1), squares(kChannels, 2);
  add_moments(this->x.data(), kRows, kChannels, sum.data(), squares.data());
  for (int64_t c = 0; c < kChannels; ++c) {
    double expected = 1, expected_squares = 2;
    for (int64_t row = 0; row < kRows; ++row) {
      const double value = wide(this->x[row * kChannels + c]);
      expected += value;
      expected_squares += value * value;
    }
    EXPECT_NEAR(sum[c], expected, 1e-4);
    EXPECT_NEAR(squares[c], expected_squares, 1e-4);
  }
}

TYPED_TEST(PlainKernels, ScaleShiftShortcutAndReluAreFused) {
  for (const bool shortcut : {false, true}) {
    for (const bool relu : {false, true}) {
      std::vector<TypeParam> y(this->x.size());
      scale_and_shift(this->x.data(), this->scale.data(), this->shift.data(), shortcut ? this->dy.data() : nullptr,
                      relu, y.data(), kRows, kChannels);
      for (int64_t i = 0; i < kRows * kChannels; ++i) {
        double expected =
            static_cast<double>(wide(this->x[i])) * this->scale[i % kChannels] + this->shift[i % kChannels];
        if (shortcut) expected += wide(this->dy[i]);
        if (relu && expected < 0) expected = 0;
        ASSERT_NEAR(wide(y[i]), expected, kStored<TypeParam> * (std::abs(expected) + 0.5)) << i;
      }
    }
  }
}

TYPED_TEST(PlainKernels, GradientMomentsKeepToTheGate) {
  const ReluGate gate{this->scale.data(), this->shift.data()};
  for (const bool gated : {false, true}) {
    std::vector<double> sum(kChannels, 0), products(kChannels, 0);
    add_gradient_moments(this->dy.data(), this->x.data(), gated ? &gate : nullptr, kRows, kChannels, sum.data(),
                         products.data());
    for (int64_t c = 0; c < kChannels; ++c) {
      double expected = 0, expected_products = 0;
      for (int64_t row = 0; row < kRows; ++row) {
        const int64_t i = row * kChannels + c;
        const double gradient = gated ? this->gate(i, c) : wide(this->dy[i]);
        expected += gradient;
        expected_products += gradient * wide(this->x[i]);
      }
      EXPECT_NEAR(sum[c], expected, 1e-4);
      EXPECT_NEAR(products[c], expected_products, 1e-4);
    }
  }
}

TYPED_TEST(PlainKernels, GradientsAreCombinedInPlace) {
  const auto by_gradient = numbers<float>(kChannels, 5), by_input = numbers<float>(kChannels, 6),
             constant = numbers<float>(kChannels, 7);
  const ReluGate gate{this->scale.data(), this->shift.data()};
  for (const bool gated : {false, true}) {
    std::vector<TypeParam> dx = this->dy;
    combine_gradient(dx.data(), this->x.data(), gated ? &gate : nullptr, by_gradient.data(), by_input.data(),
                     constant.data(), dx.data(), kRows, kChannels);
    for (int64_t i = 0; i < kRows * kChannels; ++i) {
      const int64_t c = i % kChannels;
      const double gradient = gated ? this->gate(i, c) : wide(this->dy[i]);
      const double expected =
          gradient * by_gradient[c] + static_cast<double>(wide(this->x[i])) * by_input[c] + constant[c];
      ASSERT_NEAR(wide(dx[i]), expected, kStored<TypeParam> * (std::abs(expected) + 0.5)) << i;
    }
  }
}

const Windows kWindows{3, 7, 6, 3, 2, 1, 4, 3};
constexpr int64_t kWindowRow = 32;  // 27 values and filling

/// The value of the window at (y,x) under one tap, 0 beyond the border.
template <class T>
float under_tap(const std::vector<T>& image, int64_t y, int64_t x, int64_t tap_y, int64_t tap_x, int64_t c) {
  const Windows& w = kWindows;
  const int64_t row = y * w.stride + tap_y - w.padding, column = x * w.stride + tap_x - w.padding;
  if (row < 0 || row >= w.height || column < 0 || column >= w.width) return 0;
  return wide(image[(row * w.width + column) * w.channels + c]);
}

TYPED_TEST(PlainKernels, WindowsAreUnfoldedInOrderAndFilledWithZeros) {
  const auto image = numbers<TypeParam>(7 * 6 * 3, 8);
  std::vector<TypeParam> columns(4 * 3 * kWindowRow, narrow<TypeParam>(9));
  unfold(image.data(), kWindows, kWindowRow, columns.data());
  for (int64_t place = 0; place < 4 * 3; ++place) {
    for (int64_t i = 0; i < kWindowRow; ++i) {
      const float expected = i < 27 ? under_tap(image, place / 3, place % 3, i / 9, i / 3 % 3, i % 3) : 0;
      ASSERT_EQ(wide(columns[place * kWindowRow + i]), expected) << place << " " << i;
    }
  }
}

TYPED_TEST(PlainKernels, FoldingIsTheTransposeOfUnfolding) {
  const auto image = numbers<TypeParam>(7 * 6 * 3, 9), columns = numbers<TypeParam>(4 * 3 * kWindowRow, 10);
  std::vector<TypeParam> unfolded(columns.size()), folded(image.size());
  unfold(image.data(), kWindows, kWindowRow, unfolded.data());
  fold(columns.data(), kWindows, kWindowRow, folded.data());
  double ahead = 0, back = 0;
  for (size_t i = 0; i < columns.size(); ++i) ahead += static_cast<double>(wide(unfolded[i])) * wide(columns[i]);
  for (size_t i = 0; i < image.size(); ++i) back += static_cast<double>(wide(image[i])) * wide(folded[i]);
  EXPECT_NEAR(ahead, back, kStored<TypeParam> * 50);
}

TEST(PlainKernelRounding, Bfloat16IsRoundedToTheNearestTiesToEven) {
  const auto stored = [&](float value) {
    const float scale = 1;
    const Bf16 zero{0};
    Bf16 y{0};
    scale_and_shift(&zero, &scale, &value, static_cast<const Bf16*>(nullptr), false, &y, 1, 1);
    return y.bits;
  };
  EXPECT_EQ(stored(1.0F), 0x3f80);
  EXPECT_EQ(stored(1.0F + 1 / 256.0F), 0x3f80);  // halfway: to the even one
  EXPECT_EQ(stored(1.0F + 3 / 256.0F), 0x3f82);
  EXPECT_EQ(stored(1.0F + 1.1F / 256.0F), 0x3f81);
  EXPECT_EQ(stored(-1.0F - 1.1F / 256.0F), 0xbf81);
  EXPECT_EQ(stored(std::nanf("")) & 0x7fc0, 0x7fc0);
}

/// A 3x3 convolution of one image by Winograd's transforms, as the convolutions use them.
std::vector<float> by_winograd(const std::vector<float>& image, const std::vector<float>& kernels, bool turned,
                               const WinogradTiles& tiles, int64_t in, int64_t out, const std::vector<float>& bias,
                               const float* shortcut, bool relu) {
  const int64_t plane_v = tiles.count() * in + 16, plane_m = tiles.count() * out + 16;
  std::vector<float> v(tiles.planes() * plane_v), u(tiles.planes() * in * out), m(tiles.planes() * plane_m);
  winograd_input(image.data(), tiles, in, v.data(), plane_v);
  // Stored weights are (out,3,3,in) of the convolution as it is; turned, they lead from its outputs to its inputs.
  const int64_t rows = turned ? in : out, columns = turned ? out : in;
  for (int64_t begin = 0; begin < rows; ++begin) {
    winograd_weights(kernels.data(), turned, tiles.m, rows, columns, begin, begin + 1, u.data());
  }
  for (int64_t plane = 0; plane < tiles.planes(); ++plane) {
    for (int64_t tile = 0; tile < tiles.count(); ++tile) {
      for (int64_t o = 0; o < out; ++o) {
        double sum = 0;
        for (int64_t i = 0; i < in; ++i) {
          const int64_t weight = turned ? i * out + o : o * in + i;
          sum += static_cast<double>(v[plane * plane_v + tile * in + i]) * u[plane * in * out + weight];
        }
        m[plane * plane_m + tile * out + o] = static_cast<float>(sum);
      }
    }
  }
  std::vector<float> y(tiles.height * tiles.width * out);
  winograd_output(m.data(), plane_m, tiles, out, bias.data(), shortcut, relu, y.data());
  return y;
}

double direct(const std::vector<float>& image, const std::vector<float>& kernels, bool turned,
              const WinogradTiles& tiles, int64_t in, int64_t out, int64_t y, int64_t x, int64_t o) {
  double sum = 0;
  for (int64_t tap = 0; tap < 9; ++tap) {
    const int64_t row = y + tap / 3 - 1, column = x + tap % 3 - 1;
    if (row < 0 || row >= tiles.height || column < 0 || column >= tiles.width) continue;
    for (int64_t i = 0; i < in; ++i) {
      const int64_t weight = turned ? (i * 9 + 8 - tap) * out + o : (o * 9 + tap) * in + i;
      sum += static_cast<double>(image[(row * tiles.width + column) * in + i]) * kernels[weight];
    }
  }
  return sum;
}

TEST(WinogradTransforms, GiveTheDirectConvolution) {
  constexpr int64_t kIn = 5, kOut = 70;  // beyond one chunk of channels
  for (const bool turned : {false, true}) {
    for (const int64_t side : {6, 8, 11}) {
      const auto tiles = WinogradTiles::of(side, side + 1);
      const auto image = numbers<float>(tiles.height * tiles.width * kIn, 11),
                 kernels = numbers<float>(kOut * 9 * kIn, 12), bias = numbers<float>(kOut, 13),
                 shortcut = numbers<float>(tiles.height * tiles.width * kOut, 14);
      for (const bool relu : {false, true}) {
        const auto y =
            by_winograd(image, kernels, turned, tiles, kIn, kOut, bias, relu ? nullptr : shortcut.data(), relu);
        for (int64_t i = 0; i < static_cast<int64_t>(y.size()); ++i) {
          const int64_t place = i / kOut, o = i % kOut;
          double expected =
              direct(image, kernels, turned, tiles, kIn, kOut, place / tiles.width, place % tiles.width, o) + bias[o];
          expected = relu ? std::max(expected, 0.0) : expected + shortcut[i];
          ASSERT_NEAR(y[i], expected, 1e-4) << "side " << side << ", m " << tiles.m << ", value " << i;
        }
      }
    }
  }
}

}  // namespace

}  // namespace fercli::test
