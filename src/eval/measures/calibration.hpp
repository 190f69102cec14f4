#pragma once

#include <torch/types.h>

namespace fercli {

inline constexpr double kHighestTemperature = 20;

/// Temperature scaling (Guo et al., "On calibration of modern neural networks", arXiv:1706.04599, sec. 4.2): the T in
/// [1 / kHighestTemperature, kHighestTemperature] for which softmax(logits / T) gives the labels the least mean
/// negative log likelihood. No decision changes. logits: (N,K) before softmax, or logarithms of probabilities; labels:
/// (N) int64. Throws std::invalid_argument without images.
double fit_temperature(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace fercli
