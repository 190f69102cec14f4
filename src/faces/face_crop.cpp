#include "faces/face_crop.hpp"

#include <cmath>
#include <stdexcept>
#include <vector>

namespace fercli {

namespace {

/// Of the detected box's side: how much larger the square is, and how much lower its middle lies.
constexpr double kEnlargement = 1.1, kLowering = 0.05;
/// Where the eyes and the mouth are in such a square, as shares of its height.
constexpr double kEyeHeight = 0.38, kMouthHeight = 0.76;

/// One output pixel: the weights of the input pixels from `first` on.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

/// The weight of input pixel j's cell [j, j+1) for the output cell [begin, begin + step), step >= 1: the shared length.
double shared_length(double begin, double step, int64_t j) {
  return std::min(begin + step, static_cast<double>(j) + 1) - std::max(begin, static_cast<double>(j));
}

/// `weight` for pixel j, given to the nearest pixel that exists.
void add(Taps& taps, int64_t j, int64_t input, double weight) {
  const int64_t place = std::min(input - 1, std::max<int64_t>(0, j));
  if (taps.weights.empty()) taps.first = place;
  const auto slot = static_cast<size_t>(place - taps.first);
  if (slot >= taps.weights.size()) taps.weights.resize(slot + 1, 0.f);
  taps.weights[slot] += static_cast<float>(weight);
}

std::vector<Taps> resample_line(double begin, double length, int64_t input, int64_t output) {
  if (!(length > 0) || input < 1 || output < 1) throw std::invalid_argument("resampling needs pixels on both sides");
  const double step = length / static_cast<double>(output);
  std::vector<Taps> line(static_cast<size_t>(output));
  for (int64_t i = 0; i < output; ++i) {
    Taps& taps = line[static_cast<size_t>(i)];
    if (step >= 1) {
      const double from = begin + static_cast<double>(i) * step;
      const auto last = static_cast<int64_t>(std::ceil(from + step));
      for (auto j = static_cast<int64_t>(std::floor(from)); j < last; ++j) {
        if (const double weight = shared_length(from, step, j) / step; weight > 0) add(taps, j, input, weight);
      }
    } else {
      const double centre = begin + (static_cast<double>(i) + 0.5) * step - 0.5;
      const auto left = static_cast<int64_t>(std::floor(centre));
      add(taps, left, input, 1 - (centre - static_cast<double>(left)));
      add(taps, left + 1, input, centre - static_cast<double>(left));
    }
  }
  return line;
}

}  // namespace

double intersection_over_union(const Box& a, const Box& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return width * height / (a.area() + b.area() - width * height);
}

Box face_square(const Box& face) {
  const double side = std::max(face.width, face.height), square = side * kEnlargement;
  return {face.centre_x() - square / 2, face.centre_y() + kLowering * side - square / 2, square, square};
}

Box face_between(const std::array<double, 2>& eyes, const std::array<double, 2>& mouth) {
  const double square = std::hypot(mouth[0] - eyes[0], mouth[1] - eyes[1]) / (kMouthHeight - kEyeHeight);
  const double side = square / kEnlargement;
  const double x = (eyes[0] + mouth[0]) / 2;
  const double y = (eyes[1] + mouth[1]) / 2 + (0.5 - (kEyeHeight + kMouthHeight) / 2) * square - kLowering * side;
  return {x - side / 2, y - side / 2, side, side};
}

Box centre_square(int64_t height, int64_t width) {
  const auto side = static_cast<double>(std::min(height, width));
  return {(static_cast<double>(width) - side) / 2, (static_cast<double>(height) - side) / 2, side, side};
}

torch::Tensor resampling_matrix(double begin, double length, int64_t input, int64_t output) {
  auto matrix = torch::zeros({output, input});
  float* out = matrix.data_ptr<float>();
  for (const Taps& taps : resample_line(begin, length, input, output)) {
    for (size_t j = 0; j < taps.weights.size(); ++j) out[taps.first + static_cast<int64_t>(j)] = taps.weights[j];
    out += input;
  }
  return matrix;
}

torch::Tensor crop_square(const torch::Tensor& picture, const Box& square, int64_t size) {
  const int64_t channels = picture.size(0), height = picture.size(1), width = picture.size(2);
  const auto rows = resample_line(square.y, square.height, height, size);
  const auto columns = resample_line(square.x, square.width, width, size);
  const auto* pixels = picture.data_ptr<uint8_t>();
  const int64_t stride_c = picture.stride(0), stride_y = picture.stride(1), stride_x = picture.stride(2);
  auto crop = torch::empty({channels, size, size}, torch::kUInt8);
  auto* out = crop.data_ptr<uint8_t>();
  const int64_t from = columns.front().first;
  const int64_t to = columns.back().first + static_cast<int64_t>(columns.back().weights.size());
  std::vector<float> line(static_cast<size_t>(to - from));
  for (int64_t c = 0; c < channels; ++c) {
    for (const Taps& row : rows) {
      std::fill(line.begin(), line.end(), 0.f);
      for (size_t k = 0; k < row.weights.size(); ++k) {
        const auto* source = pixels + c * stride_c + (row.first + static_cast<int64_t>(k)) * stride_y + from * stride_x;
        for (size_t x = 0; x < line.size(); ++x) line[x] += row.weights[k] * source[static_cast<int64_t>(x) * stride_x];
      }
      for (const Taps& column : columns) {
        const float* source = line.data() + (column.first - from);
        float sum = 0;
        for (size_t k = 0; k < column.weights.size(); ++k) sum += column.weights[k] * source[k];
        *out++ = static_cast<uint8_t>(std::lround(std::min(255.f, std::max(0.f, sum))));
      }
    }
  }
  return crop;
}

}  // namespace fercli
