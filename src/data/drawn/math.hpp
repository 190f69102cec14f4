#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace fercli::drawn {

/// Small arithmetic shared by the files of the face renderer. Colours are RGB in [0,1].

constexpr double kDegree = 3.14159265358979323846 / 180;  ///< in radians

struct Colour {
  float r = 0, g = 0, b = 0;
};
inline Colour operator+(Colour a, Colour b) {
  return {a.r + b.r, a.g + b.g, a.b + b.b};
}
inline Colour operator*(Colour a, Colour b) {
  return {a.r * b.r, a.g * b.g, a.b * b.b};
}
inline Colour operator*(Colour a, float s) {
  return {a.r * s, a.g * s, a.b * s};
}

inline float mix(float a, float b, float t) {
  return a + (b - a) * t;
}
inline Colour mix(Colour a, Colour b, float t) {
  return {mix(a.r, b.r, t), mix(a.g, b.g, t), mix(a.b, b.b, t)};
}
inline float clamp01(float x) {
  return std::min(1.f, std::max(0.f, x));
}
inline float square(float x) {
  return x * x;
}

/// 0 below `low`, 1 above `high`, smooth in between.
inline float smoothstep(float low, float high, float x) {
  const float t = clamp01((x - low) / (high - low));
  return t * t * (3 - 2 * t);
}

/// A hill of height 1 at (cx, cy) that reaches 0 with zero slope on the ellipse of radii rx, ry.
inline float bump(float x, float y, float cx, float cy, float rx, float ry) {
  const float d = square((x - cx) * (1 / rx)) + square((y - cy) * (1 / ry));
  return d >= 1 ? 0 : square(1 - d);
}

/// The same in one dimension: a ridge of half width `r` around 0.
inline float ridge(float d, float r) {
  const float t = square(d * (1 / r));
  return t >= 1 ? 0 : square(1 - t);
}

/// Share of a pixel covered by a shape whose signed distance (negative inside) is `d`, its edge `soft` wide.
inline float cover(float d, float soft) {
  return clamp01(0.5f - d / soft);
}

/// Random value in [0,1) of a lattice point.
inline float lattice(int32_t x, int32_t y, uint32_t key) {
  uint32_t h = static_cast<uint32_t>(x) * 0x9E3779B1u ^ static_cast<uint32_t>(y) * 0x85EBCA77u ^ key * 0xC2B2AE3Du;
  h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
  h = (h ^ (h >> 12)) * 0x297A2D39u;
  return static_cast<float>((h ^ (h >> 15)) >> 8) * 0x1.0p-24f;
}

/// Smooth noise in [0,1] with features one unit wide.
inline float value_noise(float x, float y, uint32_t key) {
  const float fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<int32_t>(fx), iy = static_cast<int32_t>(fy);
  const float tx = x - fx, ty = y - fy;
  const float u = tx * tx * (3 - 2 * tx), v = ty * ty * (3 - 2 * ty);
  return mix(mix(lattice(ix, iy, key), lattice(ix + 1, iy, key), u),
             mix(lattice(ix, iy + 1, key), lattice(ix + 1, iy + 1, key), u), v);
}

/// A function on [-1,1], sampled once per face so that pixels pay only for a look-up.
class Curve {
 public:
  Curve() = default;
  template <class Function>
  explicit Curve(Function f) {
    for (int i = 0; i <= kSteps; ++i) value_[i] = static_cast<float>(f(2.0 * i / kSteps - 1));
  }
  float at(float s) const {
    const float p = std::min(1.f, std::max(-1.f, s)) * (kSteps / 2) + kSteps / 2;
    const int i = std::min(kSteps - 1, static_cast<int>(p));
    return mix(value_[i], value_[i + 1], p - static_cast<float>(i));
  }

 private:
  static constexpr int kSteps = 64;
  std::array<float, kSteps + 1> value_{};
};

}  // namespace fercli::drawn
