#pragma once

#include <cstdint>

namespace fercli {

/// Of the images that a network takes, in pixels. Files that ask for more are broken or hostile.
inline constexpr int64_t kLargestSide = 4096;

}  // namespace fercli
