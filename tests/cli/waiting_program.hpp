#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fercli::test {

/// One run of fercli.
struct RunRequest {
  std::string out, err;      ///< files for stdout and stderr
  std::string largest_file;  ///< in bytes; empty: any
  std::vector<std::string> arguments;
};

struct KillPlan {
  const std::function<bool()>& when;
  int signal_number;
};

/// Waits for the process, and sends the signal as soon as the plan says so. `look` tells the status of waitpid once it
/// has one; with false, it waits for it.
int status_of(pid_t process, const KillPlan& plan, const std::function<std::optional<int>(bool at_once)>& look);

/// For execv: they point into `words`.
std::vector<char*> pointers_to(const std::vector<std::string>& words);

/// Runs fercli in a fork of one that has loaded its libraries (warm_start.cpp), and gives the status of waitpid. Empty,
/// with nothing run, where it must be started anew: in sanitizer builds, where the environment but for PATH is no
/// longer that of the beginning, while another run goes on, and where the libraries start threads as they are loaded.
std::optional<int> run_by_waiting_program(const RunRequest& request, const KillPlan& plan);

}  // namespace fercli::test
