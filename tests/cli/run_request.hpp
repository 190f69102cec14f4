#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

namespace fercli::test {

/// The socket on which a program that waits (warm_start.cpp) says that it is ready and is asked for runs. A request is
/// one packet of words, each with its NUL: the current folder, PATH, the files for stdout and stderr, the largest size
/// of a file (empty: any), and the command line. The answer is two packets of an int: the number of the new process,
/// and at its end its status as of waitpid.
constexpr int kWarmSocket = 3;
constexpr size_t kLargestRequest = 65536;
constexpr int kReady = 0;

/// In a new process: where its output goes, and how large its files may become.
inline void settle_in(const char* out, const char* err, const char* largest_file) {
  for (const auto& [descriptor, file] : {std::pair{STDOUT_FILENO, out}, std::pair{STDERR_FILENO, err}}) {
    const int opened = ::open(file, O_WRONLY | O_CREAT, 0600);
    if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
    ::close(opened);
  }
  if (*largest_file == '\0') return;
  const rlim_t bytes = std::strtoull(largest_file, nullptr, 10);
  const rlimit limit{bytes, bytes};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(126);
}

}  // namespace fercli::test
