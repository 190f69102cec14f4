#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/cli/run_program.hpp"

namespace fercli::test {

/// In place of files that the result is read from, and of no limit.
struct Surroundings {
  std::string out, err;      ///< files, such as /dev/full
  std::string largest_file;  ///< in bytes
};

/// run_fercli in other surroundings.
ProgramResult run_fercli(const Surroundings& surroundings, const std::vector<std::string>& arguments,
                         const std::function<bool()>& kill_when = {}, int signal_number = 9);

}  // namespace fercli::test
