#include "core/standard_output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "core/error.hpp"

namespace fercli {

namespace {

int first_error = 0;  ///< of a write that was not noticed at once

[[noreturn]] void throw_lost_output(int error) {
  throw RunError(fmt::format("standard output: cannot be written ({}); what was printed is not whole",
                             error != 0 ? std::strerror(error) : "an earlier write failed"));
}

}  // namespace

void print_out(const std::string& text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw_lost_output(errno);
  }
}

void write_remembering(const char* text, size_t size) {
  errno = 0;
  if (std::fwrite(text, 1, size, stdout) != size && first_error == 0) first_error = errno;
}

void throw_if_output_is_lost() {
  if (std::ferror(stdout) != 0) throw std::system_error(first_error, std::generic_category(), "standard output");
}

void finish_standard_output() {
  errno = 0;
  const bool failed_before = std::ferror(stdout) != 0;
  const bool flushed = std::fflush(stdout) == 0;
  const int error = errno;
  errno = 0;
  const bool closed = std::fclose(stdout) == 0;
  if (!failed_before && flushed && closed) return;
  const int reason = first_error != 0 ? first_error : error != 0 ? error : errno;
  if (reason == EPIPE) {  // its reader wanted no more of it
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw_lost_output(reason);
}

}  // namespace fercli
