#pragma once

#include <cmath>
#include <cstdint>

namespace fercli {

/// From `first` at step 0 along half a cosine to `last` at step `steps`.
inline double annealed(double first, double last, int64_t step, int64_t steps) {
  return last + (first - last) * (1 + std::cos(M_PI * static_cast<double>(step) / static_cast<double>(steps))) / 2;
}

}  // namespace fercli
