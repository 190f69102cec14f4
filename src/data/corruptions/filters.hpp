#pragma once

#include <torch/types.h>

#include <vector>

#include "core/random.hpp"

namespace fercli {

/// What the common corruptions are made of. Images and planes are float32, contiguous; images (C,H,W), planes (H,W).
/// Plain loops in one order: the same bits on every machine and at any number of threads.

/// One point of a filter: the weight of the pixel at (x + dx, y + dy).
struct Tap {
  double dx, dy, weight;
};

/// Where a sample outside the image is taken from: the nearest border pixel, or mirrored at the border.
enum class Border { Nearest, Mirror };

/// The image at (x, y) of channel `channel`, bilinear between pixels; (0,0) is the centre of the first pixel.
double sample(const torch::Tensor& image, int64_t channel, double x, double y, Border border);

/// Every pixel becomes the weighted sum of its taps, as if the border pixels went on.
torch::Tensor filtered(const torch::Tensor& image, const std::vector<Tap>& taps);

/// Gaussian of standard deviation `sigma` pixels, cut off at 4 sigma; the image itself for sigma = 0.
torch::Tensor gaussian_blurred(const torch::Tensor& image, double sigma);

/// Along a line that leaves the pixel at `angle` (degrees), to one side: weights of a Gaussian of `sigma` pixels, one
/// tap per pixel up to `radius`.
torch::Tensor motion_blurred(const torch::Tensor& image, double radius, double sigma, double angle);

/// The middle of the image enlarged by `factor` >= 1 to the whole of it, bilinear, as the corruptions' authors do it: a
/// middle of whole pixels, its corners on the corners of the enlargement, which is trimmed to the image's size.
torch::Tensor zoomed(const torch::Tensor& image, double factor);

/// A cloud of fractal noise (H,W) in [0,1], by the diamond-square method (Fournier, Fussell & Carpenter, CACM 1982) on
/// a torus whose side is a power of two; each halving of the grid divides the amplitude by decay².
torch::Tensor plasma(int64_t height, int64_t width, double decay, Rng& rng);

/// What lengths chosen for 64×64 images are multiplied by.
double length_scale(const torch::Tensor& image);

}  // namespace fercli
