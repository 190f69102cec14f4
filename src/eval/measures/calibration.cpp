#include "eval/measures/calibration.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <stdexcept>

namespace fercli {

namespace {

constexpr double kTolerance = 1e-5;  ///< of log T
const double kGolden = (std::sqrt(5.0) - 1) / 2;

}  // namespace

double fit_temperature(const torch::Tensor& logits, const torch::Tensor& labels) {
  if (logits.size(0) == 0) throw std::invalid_argument("fit_temperature: no images");
  const auto values = logits.to(torch::kFloat64);
  const auto places = labels.unsqueeze(1);
  // In 1/T the likelihood is concave (a log-linear model), so in log T it has a single optimum: golden-section search.
  const auto loss = [&](double log_temperature) {
    return -(values / std::exp(log_temperature)).log_softmax(1).gather(1, places).mean().item<double>();
  };
  double high = std::log(kHighestTemperature), low = -high;
  double left = high - kGolden * (high - low), right = low + kGolden * (high - low);
  double loss_left = loss(left), loss_right = loss(right);
  while (high - low > kTolerance) {
    if (loss_left < loss_right) {
      high = right;
      right = left;
      loss_right = loss_left;
      left = high - kGolden * (high - low);
      loss_left = loss(left);
    } else {
      low = left;
      left = right;
      loss_left = loss_right;
      right = low + kGolden * (high - low);
      loss_right = loss(right);
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace fercli
