#pragma once

#include <cstdint>

namespace fercli {

/// How a 3x3 convolution of stride 1 and padding 1 is cut for Winograd's minimal filtering F(m x m, 3 x 3) (Lavin and
/// Gray, "Fast algorithms for convolutional neural networks", CVPR 2016): tiles of (m+2)² overlapping inputs give m²
/// outputs each, in (m+2)² products of matrices over the channels instead of 9 m².
struct WinogradTiles {
  int64_t m, height, width;

  /// The m, of those there are, with the fewest multiplications for such images.
  static WinogradTiles of(int64_t height, int64_t width);

  int64_t rows() const { return (height + m - 1) / m; }
  int64_t columns() const { return (width + m - 1) / m; }
  int64_t count() const { return rows() * columns(); }
  int64_t planes() const { return (m + 2) * (m + 2); }
};

// Transforms of one image or kernel, float32, channels-last; a plane holds one value of every tile. Single-threaded.
// Rounding errors are about ten times those of the direct sum at m = 4.

/// image (height,width,channels) -> v (planes,tiles,channels), planes `plane` values apart.
void winograd_input(const float* image, const WinogradTiles& tiles, int64_t channels, float* v, int64_t plane);

/// products (planes,tiles,channels), planes `plane` values apart -> y (height,width,channels), with bias (channels)
/// and, unless null, a shortcut shaped like y added, then ReLU if asked.
void winograd_output(const float* products, int64_t plane, const WinogradTiles& tiles, int64_t channels,
                     const float* bias, const float* shortcut, bool relu, float* y);

/// kernels (out,3,3,in), as they are or turned by 180 degrees -> u (planes,out,in), for outputs in [begin,end).
void winograd_weights(const float* kernels, bool turned, int64_t m, int64_t out, int64_t in, int64_t begin, int64_t end,
                      float* u);

}  // namespace fercli
