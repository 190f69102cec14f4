#pragma once

#include <array>

#include "faces/face_crop.hpp"
#include "faces/picture.hpp"

namespace fercli {

/// The colours of a person around the face, as shares of 4x4x4 bins; all 0: not known.
using Appearance = std::array<float, 64>;

/// Of the face with hair and shoulders, as far as the picture shows them.
Appearance appearance_of(const Picture& picture, const Box& face);

/// The Bhattacharyya coefficient, 0 to 1; 1 where one of them is not known.
double alikeness(const Appearance& a, const Appearance& b);

}  // namespace fercli
