#pragma once

#include <torch/types.h>

namespace fercli {

/// Peak signal-to-noise ratio in dB of each pair of images, (N,C,H,W) float32 in [0,1] -> (N) float64:
/// 10 log10(1 / mean squared difference); infinite for equal images.
torch::Tensor psnr(const torch::Tensor& a, const torch::Tensor& b);

/// Structural similarity of each pair, (N,C,H,W) float32 in [0,1] -> (N) float64, 1 for equal images. Wang, Bovik,
/// Sheikh and Simoncelli, "Image quality assessment", IEEE TIP 2004: 11x11 Gaussian window of deviation 1.5, K1 = 0.01,
/// K2 = 0.03, mean over all places where the window fits and over the channels. NaN for images smaller than the window.
torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace fercli
