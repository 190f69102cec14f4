#include "live/appearance.hpp"

#include <cmath>

namespace fercli {

Appearance appearance_of(const Picture& picture, const Box& face) {
  constexpr int kSamples = 24;  ///< in a row and in a column
  Appearance bins{};
  const auto* pixels = picture.bgr.data_ptr<uint8_t>();
  int64_t seen = 0;
  for (int row = 0; row < kSamples; ++row) {
    const auto y = static_cast<int64_t>(std::floor(face.y + face.height * (-0.25 + 1.75 * (row + 0.5) / kSamples)));
    if (y < 0 || y >= picture.height()) continue;
    for (int column = 0; column < kSamples; ++column) {
      const auto x = static_cast<int64_t>(std::floor(face.x + face.width * (column + 0.5) / kSamples));
      if (x < 0 || x >= picture.width()) continue;
      const auto* p = pixels + (y * picture.width() + x) * 3;
      bins[static_cast<size_t>(p[0] / 64 * 16 + p[1] / 64 * 4 + p[2] / 64)] += 1;
      ++seen;
    }
  }
  for (auto& bin : bins) bin /= static_cast<float>(seen > 0 ? seen : 1);
  return bins;
}

double alikeness(const Appearance& a, const Appearance& b) {
  double sum = 0, of_a = 0, of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += std::sqrt(static_cast<double>(a[i]) * static_cast<double>(b[i]));
    of_a += a[i];
    of_b += b[i];
  }
  return of_a > 0 && of_b > 0 ? sum : 1;
}

}  // namespace fercli
