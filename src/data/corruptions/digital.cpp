// Digital changes of the common corruptions: strengths of Tiny-ImageNet-C, lengths as shares of the side.
//
//   contrast           share of the distance from each channel's mean that is left   .4  .3  .2  .1  .05
//   elastic_transform  amplitude, sigma of the displacement, jitter of the corners   0 0 .08   .05 .3 .06   .1 .08 .06
//                                                                                    .1 .03 .03   .16 .03 .02
//   pixelate           share of the side that is left                                .9  .8  .7  .6  .5
//   jpeg_compression   quality                                                       65  58  50  40  25
//
// Differences from the authors' program. Elastic: one bilinear resampling
// for both parts of the movement, mirrored at the border; the displacement is smoothed as if its border went on. Its
// severities trade a coarse movement for a fine one, so the distance from the original need not grow with them (nor
// does it there).
#include "data/corruptions/corruption.hpp"
#include "data/corruptions/filters.hpp"
#include "data/dataset.hpp"
#include "data/image.hpp"

namespace fercli::corruptions_digital {

namespace {

constexpr std::array<double, kSeverities> kContrast{0.4, 0.3, 0.2, 0.1, 0.05};

struct Elastic {
  double amplitude, sigma, jitter;
};
constexpr std::array<Elastic, kSeverities> kElastic{
    {{0, 0, 0.08}, {0.05, 0.3, 0.06}, {0.1, 0.08, 0.06}, {0.1, 0.03, 0.03}, {0.16, 0.03, 0.02}}};

constexpr std::array<double, kSeverities> kPixelate{0.9, 0.8, 0.7, 0.6, 0.5};
constexpr std::array<int64_t, kSeverities> kQuality{65, 58, 50, 40, 25};

torch::Tensor contrast(const torch::Tensor& image, int64_t severity, Rng&) {
  auto result = image.clone();
  const int64_t area = image.size(1) * image.size(2);
  auto* value = result.data_ptr<float>();
  for (int64_t c = 0; c < image.size(0); ++c, value += area) {
    double sum = 0;
    for (int64_t i = 0; i < area; ++i) sum += value[i];
    const double mean = sum / static_cast<double>(area);
    for (int64_t i = 0; i < area; ++i) {
      value[i] = static_cast<float>(mean + (value[i] - mean) * kContrast[severity - 1]);
    }
  }
  return result;
}

/// (x, y) -> (x + a x + b y + c, y + d x + e y + f), places measured from the middle.
struct Affine {
  double a, b, c, d, e, f;
};

/// The map that moves three corners of the square of half side `reach` by jitters drawn from ±jitter.
Affine jittered_square(double reach, double jitter, Rng& rng) {
  std::array<double, 6> move;  // of the corners (+,+), (+,-), (-,-): x, y each
  for (double& shift : move) shift = rng.uniform(-jitter, jitter);
  const auto part = [&](size_t axis) -> std::array<double, 3> {
    const double along_x = (move[2 + axis] - move[4 + axis]) / (2 * reach);
    const double along_y = (move[axis] - move[2 + axis]) / (2 * reach);
    return {along_x, along_y, (move[axis] + move[4 + axis]) / 2};
  };
  const auto x = part(0), y = part(1);
  return {x[0], x[1], x[2], y[0], y[1], y[2]};
}

/// (1,H,W): uniform noise in [-1, 1), smoothed.
torch::Tensor smooth_noise(const torch::Tensor& image, double sigma, Rng& rng) {
  auto noise = torch::empty({1, image.size(1), image.size(2)}, torch::kFloat32);
  auto* value = noise.data_ptr<float>();
  for (int64_t i = 0; i < noise.numel(); ++i) value[i] = static_cast<float>(rng.uniform(-1, 1));
  return gaussian_blurred(noise, sigma);
}

torch::Tensor elastic_transform(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const auto [amplitude, sigma, jitter] = kElastic[severity - 1];
  const int64_t height = image.size(1), width = image.size(2);
  const auto side = static_cast<double>(std::min(height, width));
  const Affine affine = jittered_square(side / 3, jitter * side, rng);
  const auto dx = smooth_noise(image, sigma * side, rng) * (amplitude * side);
  const auto dy = smooth_noise(image, sigma * side, rng) * (amplitude * side);
  const auto *shift_x = dx.data_ptr<float>(), *shift_y = dy.data_ptr<float>();
  auto result = torch::empty_like(image);
  auto* out = result.data_ptr<float>();
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      const int64_t place = row * width + column;
      const double x = static_cast<double>(column) - static_cast<double>(width - 1) / 2;
      const double y = static_cast<double>(row) - static_cast<double>(height - 1) / 2;
      const double from_x = static_cast<double>(column) + affine.a * x + affine.b * y + affine.c + shift_x[place];
      const double from_y = static_cast<double>(row) + affine.d * x + affine.e * y + affine.f + shift_y[place];
      for (int64_t c = 0; c < image.size(0); ++c) {
        out[c * height * width + place] = static_cast<float>(sample(image, c, from_x, from_y, Border::Mirror));
      }
    }
  }
  return result;
}

/// (height, width) -> (fewer, height): each row becomes `fewer` values and a column. A value is the 8-bit mean of the
/// whole pixels whose centres lie in its share of the row, as Pillow's BOX filter takes it.
std::vector<double> shrunk_and_turned(const std::vector<double>& plane, int64_t height, int64_t width, int64_t fewer) {
  const double step = static_cast<double>(width) / static_cast<double>(fewer);
  constexpr double kHalf = 0.5 + 1e-4;  // halves go up, also where a float is a trifle below
  std::vector<double> result(static_cast<size_t>(fewer * height));
  for (int64_t i = 0; i < fewer; ++i) {
    const double middle = (static_cast<double>(i) + 0.5) * step;
    int64_t first = 0;
    while ((static_cast<double>(first) + 0.5 - middle) / step <= -0.5) ++first;
    int64_t end = first;
    while (end < width && (static_cast<double>(end) + 0.5 - middle) / step <= 0.5) ++end;
    for (int64_t y = 0; y < height; ++y) {
      double sum = 0;
      for (int64_t x = first; x < end; ++x) sum += plane[y * width + x];
      result[i * height + y] = std::floor(255 * sum / static_cast<double>(end - first) + kHalf) / 255;
    }
  }
  return result;
}

int64_t coarser(int64_t size, int64_t severity) {
  return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(size) * kPixelate[severity - 1]));
}

torch::Tensor pixelate(const torch::Tensor& image, int64_t severity, Rng&) {
  const int64_t height = image.size(1), width = image.size(2), area = height * width;
  const int64_t rows = coarser(height, severity), columns = coarser(width, severity);
  auto result = torch::empty_like(image);
  for (int64_t c = 0; c < image.size(0); ++c) {
    const auto* from = image.data_ptr<float>() + c * area;
    auto* to = result.data_ptr<float>() + c * area;
    const auto narrow = shrunk_and_turned({from, from + area}, height, width, columns);
    const auto coarse = shrunk_and_turned(narrow, columns, height, rows);
    for (int64_t place = 0; place < area; ++place) {
      const int64_t row = (2 * (place / width) + 1) * rows / (2 * height);
      const int64_t column = (2 * (place % width) + 1) * columns / (2 * width);
      to[place] = static_cast<float>(coarse[row * columns + column]);
    }
  }
  return result;
}

torch::Tensor jpeg_compression(const torch::Tensor& image, int64_t severity, Rng&) {
  const auto pixels = to_8bit(image);
  const auto bytes = encode_jpeg(pixels, kQuality[severity - 1]);
  return decode_image(bytes, image.size(0), "jpeg_compression").to(torch::kFloat32) / 255;
}

const Register<Corruption> contrast_entry{{"contrast", "digital", 11, contrast}};
const Register<Corruption> elastic_entry{{"elastic_transform", "digital", 12, elastic_transform}};
const Register<Corruption> pixelate_entry{{"pixelate", "digital", 13, pixelate}};
const Register<Corruption> jpeg_entry{{"jpeg_compression", "digital", 14, jpeg_compression}};

}  // namespace

}  // namespace fercli::corruptions_digital
