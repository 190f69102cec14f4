#pragma once

#include <string>

namespace fercli {

/// Prints on standard output and flushes it. Throws RunError when that fails: for long sessions, which ought to end
/// then.
void print_out(const std::string& text);

/// Flushes and closes standard output. Throws RunError, with the reason, when something that was printed is lost.
void finish_standard_output();

}  // namespace fercli
