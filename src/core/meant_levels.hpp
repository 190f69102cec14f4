#pragma once

#include <string>

namespace fercli {

/// A guess at what a size above 1 was meant to be, for the end of a message: "; pixels are scaled to [0,1], did you
/// mean SIZE/255?" where the size is at most so many levels and `word`, as it was given, is no fraction already; else
/// "".
std::string meant_levels(const std::string& word, double size, double most = 255);

}  // namespace fercli
