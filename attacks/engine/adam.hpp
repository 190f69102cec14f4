#pragma once

#include <torch/torch.h>

#include <cmath>

namespace fercli {

/// Adam's moving averages of gradients and of their squares (Kingma & Ba, arXiv:1412.6980, algorithm 1, with its usual
/// constants).
struct Adam {
  static constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kTiny = 1e-8;

  torch::Tensor mean, square;

  /// like: shape and type of the gradients.
  explicit Adam(const torch::Tensor& like) : mean(torch::zeros_like(like)), square(torch::zeros_like(like)) {}

  /// Takes the gradient in and returns what to move against, about 1 in size. step: float64, counted from 1; one number
  /// for all, or of a shape that broadcasts with the gradient where its rows are at steps of their own.
  torch::Tensor direction(const torch::Tensor& gradient, const torch::Tensor& step) {
    mean = kMeanDecay * mean + (1 - kMeanDecay) * gradient;
    square = kSquareDecay * square + (1 - kSquareDecay) * gradient.square();
    return mean / (1 - torch::exp(step * std::log(kMeanDecay))) / scale(step);
  }

  /// The square root of the squares' average, what a direction was divided by.
  torch::Tensor scale(const torch::Tensor& step) const {
    return (square / (1 - torch::exp(step * std::log(kSquareDecay)))).sqrt() + kTiny;
  }
};

}  // namespace fercli
