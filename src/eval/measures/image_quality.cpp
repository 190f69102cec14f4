#include "eval/measures/image_quality.hpp"

#include <limits>

namespace fercli {

namespace {

constexpr int64_t kWindow = 11;
constexpr double kDeviation = 1.5;
constexpr double kC1 = 0.01 * 0.01, kC2 = 0.03 * 0.03;

std::vector<double> gaussian_weights() {
  std::vector<double> weights;
  double total = 0;
  for (int64_t i = 0; i < kWindow; ++i) {
    const double place = (static_cast<double>(i) - kWindow / 2) / kDeviation;
    weights.push_back(std::exp(-place * place / 2));
    total += weights.back();
  }
  for (double& weight : weights) weight /= total;
  return weights;
}

/// Weighted mean over the window along one dimension: shifted slices, so that the bits do not depend on the batch.
torch::Tensor filtered_along(const torch::Tensor& image, int64_t dimension) {
  static const std::vector<double> weights = gaussian_weights();
  const int64_t length = image.size(dimension) - kWindow + 1;
  auto sum = image.narrow(dimension, 0, length) * weights[0];
  for (int64_t i = 1; i < kWindow; ++i) sum += image.narrow(dimension, i, length) * weights[static_cast<size_t>(i)];
  return sum;
}

torch::Tensor filtered(const torch::Tensor& image) {
  return filtered_along(filtered_along(image, 2), 3);
}

torch::Tensor row_mean(const torch::Tensor& values) {
  return values.mean(-1).flatten(1).mean(1);
}

}  // namespace

torch::Tensor psnr(const torch::Tensor& a, const torch::Tensor& b) {
  const auto squared = (a.to(torch::kFloat64) - b.to(torch::kFloat64)).square();
  return row_mean(squared).log10() * -10;
}

torch::Tensor ssim(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.size(2) < kWindow || a.size(3) < kWindow) {
    return torch::full({a.size(0)}, std::numeric_limits<double>::quiet_NaN(), torch::kFloat64);
  }
  const auto x = a.to(torch::kFloat64), y = b.to(torch::kFloat64);
  const auto mean_x = filtered(x), mean_y = filtered(y);
  const auto variance_x = filtered(x * x) - mean_x * mean_x;
  const auto variance_y = filtered(y * y) - mean_y * mean_y;
  const auto covariance = filtered(x * y) - mean_x * mean_y;
  const auto luminance = (2 * mean_x * mean_y + kC1) / (mean_x * mean_x + mean_y * mean_y + kC1);
  return row_mean(luminance * (2 * covariance + kC2) / (variance_x + variance_y + kC2));
}

}  // namespace fercli
