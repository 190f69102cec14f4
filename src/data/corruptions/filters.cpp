#include "data/corruptions/filters.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace fercli {

namespace {

constexpr double kGaussianCut = 4;
constexpr double kPublishedSide = 64;

int64_t inside(int64_t place, int64_t size, Border border) {
  if (border == Border::Nearest) return std::clamp<int64_t>(place, 0, size - 1);
  const int64_t period = 2 * size;
  const int64_t folded = ((place % period) + period) % period;
  return folded < size ? folded : period - 1 - folded;
}

/// A square of fractal heights whose edges meet.
class DiamondSquare {
 public:
  DiamondSquare(int64_t side, double decay, Rng& rng)
      : side_(side), heights_(static_cast<size_t>(side * side), 0.0), rng_(rng) {
    double amplitude = 1;
    for (int64_t step = side; step >= 2; step /= 2, amplitude /= decay * decay) {
      const int64_t half = step / 2;
      for (int64_t y = half; y < side; y += step) {
        for (int64_t x = half; x < side; x += step) raise(x, y, half, half, amplitude);
      }
      for (int64_t y = 0; y < side; y += half) {
        for (int64_t x = (y / half) % 2 ? 0 : half; x < side; x += step) raise(x, y, half, 0, amplitude);
      }
    }
  }

  double height(int64_t x, int64_t y) const { return heights_[static_cast<size_t>(wrap(y) * side_ + wrap(x))]; }

  std::pair<double, double> range() const {
    const auto [low, high] = std::minmax_element(heights_.begin(), heights_.end());
    return {*low, *high};
  }

 private:
  int64_t wrap(int64_t place) const { return (place + side_) % side_; }

  /// The mean of four neighbours, at (±a, ±b) and turned by 90 degrees, plus noise.
  void raise(int64_t x, int64_t y, int64_t a, int64_t b, double amplitude) {
    const double sum = height(x + a, y + b) + height(x - b, y + a) + height(x - a, y - b) + height(x + b, y - a);
    heights_[static_cast<size_t>(y * side_ + x)] = sum / 4 + rng_.uniform(-amplitude, amplitude);
  }

  int64_t side_;
  std::vector<double> heights_;
  Rng& rng_;
};

/// The same filter with taps at whole pixels only: (dx, dy) -> weight.
std::map<std::pair<int64_t, int64_t>, double> whole_taps(const std::vector<Tap>& taps) {
  std::map<std::pair<int64_t, int64_t>, double> whole;
  for (const Tap& tap : taps) {
    const auto left = static_cast<int64_t>(std::floor(tap.dx)), top = static_cast<int64_t>(std::floor(tap.dy));
    const double right_share = tap.dx - static_cast<double>(left), lower_share = tap.dy - static_cast<double>(top);
    for (const int64_t right : {0, 1}) {
      for (const int64_t lower : {0, 1}) {
        const double share = (right ? right_share : 1 - right_share) * (lower ? lower_share : 1 - lower_share);
        if (share > 0) whole[{left + right, top + lower}] += share * tap.weight;
      }
    }
  }
  return whole;
}

/// A channel with its border pixels repeated `reach` times all around.
std::vector<double> with_margin(const torch::Tensor& image, int64_t channel, int64_t reach) {
  const int64_t height = image.size(1), width = image.size(2);
  const auto* plane = image.data_ptr<float>() + channel * height * width;
  std::vector<double> wide;
  wide.reserve(static_cast<size_t>((height + 2 * reach) * (width + 2 * reach)));
  for (int64_t y = -reach; y < height + reach; ++y) {
    const auto* row = plane + inside(y, height, Border::Nearest) * width;
    for (int64_t x = -reach; x < width + reach; ++x) wide.push_back(row[inside(x, width, Border::Nearest)]);
  }
  return wide;
}

}  // namespace

double sample(const torch::Tensor& image, int64_t channel, double x, double y, Border border) {
  const int64_t height = image.size(1), width = image.size(2);
  const auto* plane = image.data_ptr<float>() + channel * height * width;
  const auto left = static_cast<int64_t>(std::floor(x)), top = static_cast<int64_t>(std::floor(y));
  const double right_share = x - static_cast<double>(left), lower_share = y - static_cast<double>(top);
  const auto at = [&](int64_t row, int64_t column) -> double {
    return plane[inside(row, height, border) * width + inside(column, width, border)];
  };
  const double upper = at(top, left) * (1 - right_share) + at(top, left + 1) * right_share;
  const double lower = at(top + 1, left) * (1 - right_share) + at(top + 1, left + 1) * right_share;
  return upper * (1 - lower_share) + lower * lower_share;
}

torch::Tensor filtered(const torch::Tensor& image, const std::vector<Tap>& taps) {
  const auto whole = whole_taps(taps);
  int64_t reach = 0;
  for (const auto& [place, weight] : whole) reach = std::max({reach, std::abs(place.first), std::abs(place.second)});
  const int64_t height = image.size(1), width = image.size(2);
  auto result = torch::empty_like(image);
  std::vector<double> sums(static_cast<size_t>(height * width));
  for (int64_t c = 0; c < image.size(0); ++c) {
    const auto wide = with_margin(image, c, reach);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const auto& [place, weight] : whole) {
      for (int64_t y = 0; y < height; ++y) {
        const double* from =
            &wide[static_cast<size_t>((y + reach + place.second) * (width + 2 * reach) + reach + place.first)];
        double* to = &sums[static_cast<size_t>(y * width)];
        for (int64_t x = 0; x < width; ++x) to[x] += weight * from[x];
      }
    }
    std::copy(sums.begin(), sums.end(), result.data_ptr<float>() + c * height * width);
  }
  return result;
}

torch::Tensor gaussian_blurred(const torch::Tensor& image, double sigma) {
  const auto reach = static_cast<int64_t>(kGaussianCut * sigma + 0.5);
  if (reach == 0) return image;
  std::vector<Tap> across, down;
  double sum = 0;
  for (int64_t i = -reach; i <= reach; ++i) sum += std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma));
  for (int64_t i = -reach; i <= reach; ++i) {
    const double weight = std::exp(-0.5 * static_cast<double>(i * i) / (sigma * sigma)) / sum;
    across.push_back({static_cast<double>(i), 0, weight});
    down.push_back({0, static_cast<double>(i), weight});
  }
  return filtered(filtered(image, across), down);
}

torch::Tensor motion_blurred(const torch::Tensor& image, double radius, double sigma, double angle) {
  const double radians = angle * M_PI / 180;
  std::vector<Tap> taps;
  double sum = 0;
  for (int64_t i = 0; static_cast<double>(i) <= radius; ++i) {
    const auto along = static_cast<double>(i);
    const double weight = std::exp(-0.5 * along * along / (sigma * sigma));
    taps.push_back({along * std::cos(radians), along * std::sin(radians), weight});
    sum += weight;
  }
  for (Tap& tap : taps) tap.weight /= sum;
  return filtered(image, taps);
}

namespace {

/// One axis of `zoomed`: the places in the image that its pixels are taken from.
std::vector<double> zoomed_places(int64_t size, double factor) {
  const auto kept = static_cast<int64_t>(std::ceil(static_cast<double>(size) / factor)), first = (size - kept) / 2;
  const auto enlarged = static_cast<int64_t>(std::nearbyint(static_cast<double>(kept) * factor));
  const double step = enlarged > 1 ? static_cast<double>(kept - 1) / static_cast<double>(enlarged - 1) : 0;
  const int64_t trimmed = (enlarged - size) / 2;
  std::vector<double> places;
  for (int64_t i = 0; i < size; ++i) {
    places.push_back(static_cast<double>(first) + static_cast<double>(trimmed + i) * step);
  }
  return places;
}

}  // namespace

torch::Tensor zoomed(const torch::Tensor& image, double factor) {
  auto result = torch::empty_like(image);
  auto* out = result.data_ptr<float>();
  const auto rows = zoomed_places(image.size(1), factor), columns = zoomed_places(image.size(2), factor);
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (const double y : rows) {
      for (const double x : columns) *out++ = static_cast<float>(sample(image, c, x, y, Border::Nearest));
    }
  }
  return result;
}

torch::Tensor plasma(int64_t height, int64_t width, double decay, Rng& rng) {
  int64_t side = 2;
  while (side < std::max(height, width)) side *= 2;
  const DiamondSquare map(side, decay, rng);
  const auto [low, high] = map.range();
  auto cloud = torch::empty({height, width}, torch::kFloat32);
  auto* out = cloud.data_ptr<float>();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) *out++ = static_cast<float>((map.height(x, y) - low) / (high - low));
  }
  return cloud;
}

double length_scale(const torch::Tensor& image) {
  return static_cast<double>(std::min(image.size(1), image.size(2))) / kPublishedSide;
}

}  // namespace fercli
