#pragma once

#include <cstddef>
#include <string>

namespace fercli {

/// Prints on standard output and flushes it. Throws RunError when that fails: for long sessions, which ought to end
/// then.
void print_out(const std::string& text);

/// Writes to standard output; what is lost is remembered for `finish_standard_output`.
void write_remembering(const char* text, size_t size);

/// Ends work whose only result is what it prints, once some of that is lost: throws std::system_error, to which `main`
/// adds no message, since `finish_standard_output` says why.
void throw_if_output_is_lost();

/// Flushes and closes standard output, at the end of everything. Throws RunError, with the reason, when something that
/// was printed is lost. Where its reader has closed the pipe, the process ends by SIGPIPE, as other tools do.
void finish_standard_output();

}  // namespace fercli
