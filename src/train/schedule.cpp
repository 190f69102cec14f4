#include "train/schedule.hpp"

#include <cmath>

namespace fercli {

namespace {

constexpr double kOneCycleRise = 0.25, kOneCycleStart = 1.0 / 25, kOneCycleEnd = 1e-4;

/// From `from` to `to` along half a cosine as t goes from 0 to 1.
double cosine_between(double from, double to, double t) {
  return to + (from - to) * 0.5 * (1 + std::cos(M_PI * t));
}

}  // namespace

double Schedule::at(double epoch, int64_t drops) const {
  const auto total = static_cast<double>(epochs);
  if (kind == "one-cycle") {
    const double t = epoch / total;
    if (t < kOneCycleRise) return lr * cosine_between(kOneCycleStart, 1, t / kOneCycleRise);
    return lr * cosine_between(1, kOneCycleEnd, (t - kOneCycleRise) / (1 - kOneCycleRise));
  }
  if (epoch < warmup_epochs) return lr * epoch / warmup_epochs;
  if (kind == "cosine") return lr * cosine_between(1, 0, (epoch - warmup_epochs) / (total - warmup_epochs));
  return lr * std::pow(0.5, static_cast<double>(drops));
}

}  // namespace fercli
