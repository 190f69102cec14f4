#include "live/cut_detector.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace fercli {

namespace {

constexpr int64_t kCells = 16;           ///< in a row and in a column
constexpr double kLeastDifference = 12;  ///< mean over the cells, in levels of 255
constexpr double kTimesTheUsual = 4;     ///< as large as the differences before
constexpr double kLatest = 0.2;          ///< how much the latest counts in what is usual

/// Mean colours of kCells x kCells cells (of every fourth pixel), less the mean of each colour.
std::vector<float> thumbnail(const Picture& picture) {
  std::vector<float> cells(kCells * kCells * 3, 0.F), counts(kCells * kCells, 0.F);
  const auto* pixels = picture.bgr.data_ptr<uint8_t>();
  for (int64_t y = 0; y < picture.height(); y += 4) {
    for (int64_t x = 0; x < picture.width(); x += 4) {
      const auto cell = static_cast<size_t>(y * kCells / picture.height() * kCells + x * kCells / picture.width());
      const auto* p = pixels + (y * picture.width() + x) * 3;
      for (size_t c = 0; c < 3; ++c) cells[3 * cell + c] += p[c];
      counts[cell] += 1;
    }
  }
  for (size_t c = 0; c < 3; ++c) {
    float mean = 0;
    for (size_t cell = 0; cell < counts.size(); ++cell) {
      cells[3 * cell + c] /= std::max(1.F, counts[cell]);
      mean += cells[3 * cell + c] / static_cast<float>(counts.size());
    }
    for (size_t cell = 0; cell < counts.size(); ++cell) cells[3 * cell + c] -= mean;
  }
  return cells;
}

}  // namespace

bool CutDetector::is_cut(const Picture& picture) {
  auto now = thumbnail(picture);
  const auto before = std::exchange(last_, std::move(now));
  if (before.empty()) return false;
  double difference = 0;
  for (size_t i = 0; i < before.size(); ++i) difference += std::abs(last_[i] - before[i]);
  difference /= static_cast<double>(before.size());
  const bool cut = difference > std::max(kLeastDifference, kTimesTheUsual * usual_);
  if (!cut) usual_ += kLatest * (difference - usual_);
  return cut;
}

}  // namespace fercli
