#include "models/kernels/winograd.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/vectorised.hpp"

namespace fercli {

namespace {

/// Channels worked on at once: what lies between the two passes of a transform stays in the first-level cache.
constexpr int64_t kChannelChunk = 64;

/// F(4,3) on the points 0, 1, -1, 2, -2 and infinity.
struct Four {
  static constexpr int kOut = 4, kTile = 6;

  static inline void input(const float (&d)[kTile], float (&t)[kTile]) {
    const float even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1], difference = d[4] - d[2], twice = 2 * (d[3] - d[1]);
    t[0] = 4 * (d[0] - d[2]) - d[2] + d[4];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = difference + twice;
    t[4] = difference - twice;
    t[5] = 4 * (d[1] - d[3]) - d[3] + d[5];
  }

  static inline void output(const float (&p)[kTile], float (&y)[kOut]) {
    const float sum = p[1] + p[2], difference = p[1] - p[2], far_sum = p[3] + p[4], far_difference = p[3] - p[4];
    y[0] = p[0] + sum + far_sum;
    y[1] = difference + 2 * far_difference;
    y[2] = sum + 4 * far_sum;
    y[3] = difference + 8 * far_difference + p[5];
  }

  static inline void weight(const float (&g)[3], float (&t)[kTile]) {
    const float ends = g[0] + g[2], far_ends = (g[0] + 4 * g[2]) * (1 / 24.0F);
    t[0] = 0.25F * g[0];
    t[1] = (ends + g[1]) * (-1 / 6.0F);
    t[2] = (ends - g[1]) * (-1 / 6.0F);
    t[3] = far_ends + g[1] * (1 / 12.0F);
    t[4] = far_ends - g[1] * (1 / 12.0F);
    t[5] = g[2];
  }
};

/// F(3,3) on the points 0, 1, -1, 2 and infinity: fits sides that are no multiple of four.
struct Three {
  static constexpr int kOut = 3, kTile = 5;

  static inline void input(const float (&d)[kTile], float (&t)[kTile]) {
    const float step = d[3] - d[1];
    t[0] = 2 * (d[0] - d[2]) + step;
    t[1] = d[3] - 2 * d[1] - d[2];
    t[2] = 2 * (d[1] - d[2]) + d[3] - d[2];
    t[3] = step;
    t[4] = d[4] - d[2] - 2 * step;
  }

  static inline void output(const float (&p)[kTile], float (&y)[kOut]) {
    const float sum = p[1] + p[2];
    y[0] = p[0] + sum + p[3];
    y[1] = p[1] - p[2] + 2 * p[3];
    y[2] = sum + 4 * p[3] + p[4];
  }

  static inline void weight(const float (&g)[3], float (&t)[kTile]) {
    const float ends = g[0] + g[2];
    t[0] = 0.5F * g[0];
    t[1] = -0.5F * (ends + g[1]);
    t[2] = (ends - g[1]) * (-1 / 6.0F);
    t[3] = (g[0] + 2 * g[1] + 4 * g[2]) * (1 / 6.0F);
    t[4] = g[2];
  }
};

/// pixels: where the tile's inputs begin, row by row.
template <class F>
FERCLI_VECTORISED void transform_input(const float* const* pixels, int64_t channels, float* v, int64_t plane) {
  float half[F::kTile][F::kTile][kChannelChunk];
  for (int64_t begin = 0; begin < channels; begin += kChannelChunk) {
    const int64_t count = std::min(kChannelChunk, channels - begin);
    for (int x = 0; x < F::kTile; ++x) {
      const float* column[F::kTile];
      for (int k = 0; k < F::kTile; ++k) column[k] = pixels[k * F::kTile + x] + begin;
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float d[F::kTile], t[F::kTile];
        for (int k = 0; k < F::kTile; ++k) d[k] = column[k][c];
        F::input(d, t);
        for (int k = 0; k < F::kTile; ++k) half[k][x][c] = t[k];
      }
    }
    for (int y = 0; y < F::kTile; ++y) {
      float* row = v + y * F::kTile * plane + begin;
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float d[F::kTile], t[F::kTile];
        for (int k = 0; k < F::kTile; ++k) d[k] = half[y][k][c];
        F::input(d, t);
        for (int k = 0; k < F::kTile; ++k) row[k * plane + c] = t[k];
      }
    }
  }
}

/// bias, shortcut and y begin at the tile; only its first `rows` x `columns` outputs are in the image.
template <class F>
FERCLI_VECTORISED void transform_output(const float* products, int64_t plane, int64_t channels, int64_t width,
                                        int64_t rows, int64_t columns, const float* bias, const float* shortcut,
                                        float least, float* y) {
  float half[F::kOut][F::kTile][kChannelChunk], result[F::kOut][kChannelChunk];
  for (int64_t begin = 0; begin < channels; begin += kChannelChunk) {
    const int64_t count = std::min(kChannelChunk, channels - begin);
    for (int x = 0; x < F::kTile; ++x) {
      const float* column = products + x * plane + begin;
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float p[F::kTile], t[F::kOut];
        for (int k = 0; k < F::kTile; ++k) p[k] = column[k * F::kTile * plane + c];
        F::output(p, t);
        for (int k = 0; k < F::kOut; ++k) half[k][x][c] = t[k];
      }
    }
    for (int64_t row = 0; row < rows; ++row) {
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float p[F::kTile], t[F::kOut];
        for (int k = 0; k < F::kTile; ++k) p[k] = half[row][k][c];
        F::output(p, t);
        for (int k = 0; k < F::kOut; ++k) result[k][c] = t[k] + bias[begin + c];
      }
      for (int64_t x = 0; x < columns; ++x) {
        const int64_t at = (row * width + x) * channels + begin;
        if (shortcut) {
          FERCLI_INDEPENDENT
          for (int64_t c = 0; c < count; ++c) result[x][c] += shortcut[at + c];
        }
        FERCLI_INDEPENDENT
        for (int64_t c = 0; c < count; ++c) {
          const float value = result[x][c];
          y[at + c] = value < least ? least : value;  // not-a-number passes
        }
      }
    }
  }
}

template <class F>
FERCLI_VECTORISED void transform_weights(const float* kernel, bool turned, int64_t in, float* u, int64_t plane) {
  float half[F::kTile][3][kChannelChunk];
  for (int64_t begin = 0; begin < in; begin += kChannelChunk) {
    const int64_t count = std::min(kChannelChunk, in - begin);
    for (int x = 0; x < 3; ++x) {
      const float* taps[3];
      for (int k = 0; k < 3; ++k) taps[k] = kernel + (turned ? 8 - k * 3 - x : k * 3 + x) * in + begin;
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float g[3], t[F::kTile];
        for (int k = 0; k < 3; ++k) g[k] = taps[k][c];
        F::weight(g, t);
        for (int k = 0; k < F::kTile; ++k) half[k][x][c] = t[k];
      }
    }
    for (int y = 0; y < F::kTile; ++y) {
      float* row = u + y * F::kTile * plane + begin;
      FERCLI_INDEPENDENT
      for (int64_t c = 0; c < count; ++c) {
        float g[3], t[F::kTile];
        for (int k = 0; k < 3; ++k) g[k] = half[y][k][c];
        F::weight(g, t);
        for (int k = 0; k < F::kTile; ++k) row[k * plane + c] = t[k];
      }
    }
  }
}

/// work(F{}) with the transforms of F(m x m, 3 x 3).
template <class Work>
void with_transforms(int64_t m, const Work& work) {
  if (m == Four::kOut) {
    work(Four{});
  } else {
    work(Three{});
  }
}

}  // namespace

WinogradTiles WinogradTiles::of(int64_t height, int64_t width) {
  const WinogradTiles four{Four::kOut, height, width}, three{Three::kOut, height, width};
  return three.count() * three.planes() < four.count() * four.planes() ? three : four;
}

void winograd_input(const float* image, const WinogradTiles& tiles, int64_t channels, float* v, int64_t plane) {
  with_transforms(tiles.m, [&](auto transforms) {
    using F = decltype(transforms);
    const std::vector<float> outside(channels, 0.0F);
    const float* pixels[F::kTile * F::kTile];
    for (int64_t row = 0; row < tiles.rows(); ++row) {
      for (int64_t column = 0; column < tiles.columns(); ++column, v += channels) {
        for (int k = 0; k < F::kTile * F::kTile; ++k) {
          const int64_t y = row * F::kOut + k / F::kTile - 1, x = column * F::kOut + k % F::kTile - 1;
          const bool inside = y >= 0 && y < tiles.height && x >= 0 && x < tiles.width;
          pixels[k] = inside ? image + (y * tiles.width + x) * channels : outside.data();
        }
        transform_input<F>(pixels, channels, v, plane);
      }
    }
  });
}

void winograd_output(const float* products, int64_t plane, const WinogradTiles& tiles, int64_t channels,
                     const float* bias, const float* shortcut, bool relu, float* y) {
  const float least = relu ? 0 : -std::numeric_limits<float>::infinity();
  with_transforms(tiles.m, [&](auto transforms) {
    using F = decltype(transforms);
    for (int64_t row = 0; row < tiles.height; row += F::kOut) {
      for (int64_t column = 0; column < tiles.width; column += F::kOut, products += channels) {
        const int64_t at = (row * tiles.width + column) * channels;
        transform_output<F>(products, plane, channels, tiles.width, std::min<int64_t>(F::kOut, tiles.height - row),
                            std::min<int64_t>(F::kOut, tiles.width - column), bias, shortcut ? shortcut + at : nullptr,
                            least, y + at);
      }
    }
  });
}

void winograd_weights(const float* kernels, bool turned, int64_t m, int64_t out, int64_t in, int64_t begin, int64_t end,
                      float* u) {
  with_transforms(m, [&](auto transforms) {
    for (int64_t o = begin; o < end; ++o) {
      transform_weights<decltype(transforms)>(kernels + o * 9 * in, turned, in, u + o * in, out * in);
    }
  });
}

}  // namespace fercli
