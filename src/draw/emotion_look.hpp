#pragma once

#include <string>
#include <vector>

#include "draw/lettering.hpp"

namespace fercli {

/// The colour of an emotion, told apart by colour-blind people too (Okabe and Ito's palette); grey for unknown names.
Ink colour_of(const std::string& emotion);
constexpr Ink kUncertainInk{130, 130, 130};

/// A round face with this expression, drawn: uint8 (side,side,4), blue first, opacity last. Unknown names get the
/// neutral face.
torch::Tensor draw_avatar(const std::string& emotion, int side);

/// Lays uint8 (h,w,4) over BGR pixels with its left upper corner at (left, top); what sticks out is cut off.
void lay_over(const torch::Tensor& bgr, const torch::Tensor& bgra, int left, int top);

}  // namespace fercli
