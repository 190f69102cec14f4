#pragma once

#include <string>
#include <vector>

#include "core/options.hpp"
#include "core/registry.hpp"

namespace fercli {

/// A second word after a command's name: `fercli data stats`.
struct Subcommand {
  std::string name;
  std::string summary;
  int (*run)(const std::vector<std::string>& arguments);
};

/// A command: `fercli NAME ARGUMENTS…`. It hands its arguments to an OptionSet before it does anything else.
struct Command {
  static constexpr const char* kKind = "command";
  std::string name;
  std::string summary;                                    ///< one line for `fercli help`
  int (*run)(const std::vector<std::string>& arguments);  ///< exit code; throws UserError, RunError, Interrupted
  std::vector<Subcommand> subcommands = {};  ///< those that `run` dispatches to; none: it has options itself
  bool hidden = false;                       ///< of use to the build alone: in no list
};

/// The commands that users are shown, sorted by name.
std::vector<Command> shown_commands();

/// What can be called: {"attack"}, …, {"data", "audit"}, ….
std::vector<std::vector<std::string>> callable_commands();

/// How `fercli WORDS…`, one of `callable_commands()`, is declared. Nothing is run.
Declaration declaration_of(const std::vector<std::string>& words);

/// The same, with what WORDS and the INI file that they name give each option, not yet checked. Throws UserError where
/// they cannot be read.
Declaration given_by(const std::vector<std::string>& words);

/// Throws the UserError that the options of `fercli WORDS…` would throw: unknown command or option, missing or
/// impossible value, too many words. Nothing is run.
void check_usage(const std::vector<std::string>& words);

}  // namespace fercli
