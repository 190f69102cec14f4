// Blurs of the common corruptions. Lengths in pixels of a 64×64 image (Tiny-ImageNet-C), here times side/64:
//
//   defocus_blur  radius of the disk     0.5    1     1.5   2.5   3     and a Gaussian of 0.6 0.1 0.1 0.01 0.1 after it
//   glass_blur    sigma, shift, passes   0.1 1 1   0.5 1 1   0.6 1 2   0.7 2 1   0.9 2 2
//   motion_blur   radius, sigma          10 1   10 1.5   10 2   10 2.5   12 3
//   zoom_blur     largest factor         1.06  1.11  1.15  1.2  1.25   (no length)
//
// Differences from the authors' program. Defocus: the disk is drawn with soft edges, by the share of each pixel that it
// covers. Glass: shifts are whole pixels, at least 1; where the first blur leaves a whole 8-bit level it is kept, while
// that program may lose one to the rounding of a float. Motion: the line runs between pixels, bilinear, at an angle
// drawn from ±45 degrees; the direction of motion has one side, as there. Zoom: none; the factors are 1, 1.01, 1.02, …,
// and the rounding of numpy's arange lets the first two severities take one factor more than the others' pattern says.
#include "data/corruptions/corruption.hpp"
#include "data/corruptions/filters.hpp"

namespace fercli::corruptions_blur {

namespace {

struct Defocus {
  double radius, softness;
};
constexpr std::array<Defocus, kSeverities> kDefocus{{{0.5, 0.6}, {1, 0.1}, {1.5, 0.1}, {2.5, 0.01}, {3, 0.1}}};

struct Glass {
  double sigma, shift;
  int64_t passes;
};
constexpr std::array<Glass, kSeverities> kGlass{{{0.1, 1, 1}, {0.5, 1, 1}, {0.6, 1, 2}, {0.7, 2, 1}, {0.9, 2, 2}}};

struct Motion {
  double radius, sigma;
};
constexpr std::array<Motion, kSeverities> kMotion{{{10, 1}, {10, 1.5}, {10, 2}, {10, 2.5}, {12, 3}}};
constexpr double kMotionAngle = 45;

constexpr std::array<int64_t, kSeverities> kZoomSteps{6, 11, 15, 20, 25};
constexpr double kZoomStep = (1 + 0.01) - 1;  ///< as numpy's arange takes it, with the rounding

constexpr int64_t kSubpixels = 9;  ///< to a side, when the disk's cover of a pixel is counted

/// The share of the pixel at (x, y) that a disk around (0,0) covers.
double covered(int64_t x, int64_t y, double radius) {
  int64_t inside = 0;
  for (int64_t i = 0; i < kSubpixels * kSubpixels; ++i) {
    const double dx = static_cast<double>(x) + (static_cast<double>(i % kSubpixels) + 0.5) / kSubpixels - 0.5;
    const double dy = static_cast<double>(y) + (static_cast<double>(i / kSubpixels) + 0.5) / kSubpixels - 0.5;
    inside += dx * dx + dy * dy <= radius * radius;
  }
  return static_cast<double>(inside) / (kSubpixels * kSubpixels);
}

std::vector<Tap> disk(double radius) {
  const auto reach = static_cast<int64_t>(std::ceil(radius));
  std::vector<Tap> taps;
  double sum = 0;
  for (int64_t y = -reach; y <= reach; ++y) {
    for (int64_t x = -reach; x <= reach; ++x) {
      const double weight = covered(x, y, radius);
      if (weight > 0) taps.push_back({static_cast<double>(x), static_cast<double>(y), weight});
      sum += weight;
    }
  }
  for (Tap& tap : taps) tap.weight /= sum;
  return taps;
}

torch::Tensor defocus_blur(const torch::Tensor& image, int64_t severity, Rng&) {
  const auto [radius, softness] = kDefocus[severity - 1];
  const double scale = length_scale(image);
  return gaussian_blurred(filtered(image, disk(radius * scale)), softness * scale);
}

/// Every pixel away from the border becomes one drawn nearby, up to `shift` to the left and up and one less to the
/// right and down. The authors' program means to exchange the two, but its assignment between views of one array
/// copies.
void scatter_nearby(torch::Tensor& image, int64_t shift, Rng& rng) {
  const int64_t channels = image.size(0), height = image.size(1), width = image.size(2);
  auto* value = image.data_ptr<float>();
  for (int64_t y = height - shift; y > shift; --y) {
    for (int64_t x = width - shift; x > shift; --x) {
      const int64_t other_x = x + rng.below(2 * shift) - shift, other_y = y + rng.below(2 * shift) - shift;
      for (int64_t c = 0; c < channels; ++c) {
        value[(c * height + y) * width + x] = value[(c * height + other_y) * width + other_x];
      }
    }
  }
}

torch::Tensor glass_blur(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const auto [sigma, shift, passes] = kGlass[severity - 1];
  const double scale = length_scale(image);
  constexpr double kTolerance = 1e-3;  // of a level
  auto scattered = (gaussian_blurred(image, sigma * scale) * 255 + kTolerance).floor() / 255;
  for (int64_t pass = 0; pass < passes; ++pass) {
    scatter_nearby(scattered, std::max<int64_t>(1, std::lround(shift * scale)), rng);
  }
  return gaussian_blurred(scattered, sigma * scale);
}

torch::Tensor motion_blur(const torch::Tensor& image, int64_t severity, Rng& rng) {
  const auto [radius, sigma] = kMotion[severity - 1];
  const double scale = length_scale(image);
  return motion_blurred(image, radius * scale, sigma * scale, rng.uniform(-kMotionAngle, kMotionAngle));
}

torch::Tensor zoom_blur(const torch::Tensor& image, int64_t severity, Rng&) {
  const int64_t steps = kZoomSteps[severity - 1];
  auto sum = image + image;  // the image itself, and the factor 1
  for (int64_t step = 1; step <= steps; ++step) sum += zoomed(image, 1 + kZoomStep * static_cast<double>(step));
  return sum / static_cast<double>(steps + 2);
}

const Register<Corruption> defocus{{"defocus_blur", "blur", 3, defocus_blur}};
const Register<Corruption> glass{{"glass_blur", "blur", 4, glass_blur}};
const Register<Corruption> motion{{"motion_blur", "blur", 5, motion_blur}};
const Register<Corruption> zoom{{"zoom_blur", "blur", 6, zoom_blur}};

}  // namespace

}  // namespace fercli::corruptions_blur
