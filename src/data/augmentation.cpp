#include "data/augmentation.hpp"

#include <algorithm>
#include <cmath>

namespace fercli {

namespace {

/// Target pixel (column, row) comes from source (a·column + b·row + c, d·column + e·row + f).
struct Affine {
  double a, b, c, d, e, f;
};

Affine draw_affine(int64_t size, int64_t window, const Augmentation& augmentation, Rng& rng) {
  const double angle = rng.uniform(-1, 1) * augmentation.rotate * M_PI / 180;
  const double zoom = 1 / (1 + rng.uniform(-1, 1) * augmentation.scale);
  const double shift_x = rng.uniform(-1, 1) * augmentation.translate * size;
  const double shift_y = rng.uniform(-1, 1) * augmentation.translate * size;
  const double mirror = rng.chance(augmentation.flip) ? -1 : 1;
  const double middle = 0.5 * (size - 1);
  const auto left = static_cast<double>(rng.below(size - window + 1)),
             top = static_cast<double>(rng.below(size - window + 1));
  const double cosine = std::cos(angle) * zoom, sine = std::sin(angle) * zoom;
  Affine map{cosine * mirror, -sine, 0, sine * mirror, cosine, 0};
  map.c = middle + shift_x + map.a * (left - middle) + map.b * (top - middle);
  map.f = middle + shift_y + map.d * (left - middle) + map.e * (top - middle);
  return map;
}

/// The size×size source to the window×window target.
void resample(const uint8_t* source, float* target, int64_t size, int64_t window, const Affine& map) {
  const auto last = static_cast<float>(size - 1);
  for (int64_t row = 0; row < window; ++row) {
    auto x = static_cast<float>(map.b * row + map.c), y = static_cast<float>(map.e * row + map.f);
    const auto step_x = static_cast<float>(map.a), step_y = static_cast<float>(map.d);
    for (int64_t column = 0; column < window; ++column, x += step_x, y += step_y) {
      const float inside_x = std::min(std::max(x, 0.0F), last), inside_y = std::min(std::max(y, 0.0F), last);
      const auto left = static_cast<int64_t>(inside_x), top = static_cast<int64_t>(inside_y);
      const int64_t right = std::min(left + 1, size - 1), bottom = std::min(top + 1, size - 1);
      const float u = inside_x - static_cast<float>(left), v = inside_y - static_cast<float>(top);
      const float upper = source[top * size + left] * (1 - u) + source[top * size + right] * u;
      const float lower = source[bottom * size + left] * (1 - u) + source[bottom * size + right] * u;
      target[row * window + column] = (upper * (1 - v) + lower * v) * (1 / 255.0F);
    }
  }
}

void change_light(float* pixels, int64_t count, const Augmentation& augmentation, Rng& rng) {
  const auto factor = static_cast<float>(1 + rng.uniform(-1, 1) * augmentation.contrast);
  const auto offset = static_cast<float>(rng.uniform(-1, 1) * augmentation.brightness);
  for (int64_t i = 0; i < count; ++i) {
    pixels[i] = std::min(std::max((pixels[i] - 0.5F) * factor + 0.5F + offset, 0.0F), 1.0F);
  }
}

void erase_rectangle(float* pixels, int64_t channels, int64_t side, Rng& rng) {
  const double area = rng.uniform(0.02, 0.2) * static_cast<double>(side * side);
  const double aspect = std::exp(rng.uniform(std::log(0.3), std::log(1 / 0.3)));
  const auto h = std::min(side, static_cast<int64_t>(std::sqrt(area * aspect)) + 1);
  const auto w = std::min(side, static_cast<int64_t>(std::sqrt(area / aspect)) + 1);
  const int64_t top = rng.below(side - h + 1), left = rng.below(side - w + 1);
  const auto grey = static_cast<float>(rng.uniform());
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t row = top; row < top + h; ++row) {
      float* line = pixels + (channel * side + row) * side;
      std::fill(line + left, line + left + w, grey);
    }
  }
}

}  // namespace

Augmentation Augmentation::none() {
  return {0, 0, 0, 0, 0, 0, 0, 0};
}

void augment_image(const uint8_t* source, float* target, int64_t channels, int64_t size,
                   const Augmentation& augmentation, Rng rng) {
  const int64_t window = augmentation.crop > 0 ? augmentation.crop : size;
  const Affine map = draw_affine(size, window, augmentation, rng);
  for (int64_t channel = 0; channel < channels; ++channel) {
    resample(source + channel * size * size, target + channel * window * window, size, window, map);
  }
  if (augmentation.brightness > 0 || augmentation.contrast > 0) {
    change_light(target, channels * window * window, augmentation, rng);
  }
  if (rng.chance(augmentation.erase)) erase_rectangle(target, channels, window, rng);
}

}  // namespace fercli
