#pragma once

#include <exception>
#include <string>

namespace fercli {

/// Why something failed, in words of this program. Its own exceptions say it themselves: UserError, RunError, plain
/// std::runtime_error and std::invalid_argument. What a library throws (JSON, LibTorch, OpenCV, the standard library)
/// speaks of its source code, and becomes a short phrase about the kind of fault.
std::string reason_of(const std::exception& error);

/// FERCLI_DEBUG is set: libraries' own words are shown.
bool shows_library_messages();

}  // namespace fercli
