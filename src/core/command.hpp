#pragma once

#include <string>
#include <vector>

#include "core/registry.hpp"

namespace fercli {

/// A subcommand: `fercli NAME ARGUMENTS…`.
struct Command {
  static constexpr const char* kKind = "command";
  std::string name;
  std::string summary;                                    ///< one line for `fercli --help`
  int (*run)(const std::vector<std::string>& arguments);  ///< exit code; throws UserError, RunError, Interrupted
};

}  // namespace fercli
