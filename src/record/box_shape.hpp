#pragma once

#include <cmath>

#include "faces/face_crop.hpp"
#include "record/shape.hpp"

namespace fercli {

/// Whole pixels of the picture.
template <>
struct Shape<Box> {
  static nlohmann::ordered_json write(const Box& box) {
    return {{"x", std::lround(box.x)},
            {"y", std::lround(box.y)},
            {"w", std::lround(box.width)},
            {"h", std::lround(box.height)}};
  }
  static nlohmann::json schema() {
    const auto pixels = shape::whole();
    return shape::object({{"x", pixels}, {"y", pixels}, {"w", pixels}, {"h", pixels}});
  }
};

}  // namespace fercli
