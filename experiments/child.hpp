// What it costs to run a program.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/clock.hpp"

extern char** environ;

namespace fercli {

struct ChildCost {
  int status = 0;        ///< exit code; 128 + number where a signal ended it
  double seconds = 0;    ///< from the start to the end
  double mebibytes = 0;  ///< the most memory that it held
};

/// Runs `command` (a program and its arguments), whose output nobody sees. Throws std::runtime_error: it does not
/// start.
inline ChildCost cost_of(const std::vector<std::string>& command) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
  }
  const auto start = Clock::now();
  pid_t child = 0;
  const int error = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error(command.front() + " does not start");
  int status = 0;
  rusage used{};
  while (wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), seconds_since(start),
          static_cast<double>(used.ru_maxrss) / 1024};
}

}  // namespace fercli
