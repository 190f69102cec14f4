#pragma once

#include <string>
#include <vector>

namespace fercli {

/// A command that a text shows its reader.
struct ShownCommand {
  size_t line;                     ///< where it begins, counted from 1
  std::vector<std::string> words;  ///< after "fercli"
  bool whole;                      ///< a line of its own to type; false: mentioned between backticks, perhaps in part
};

/// The commands in a Markdown text (indented or fenced lines and code between backticks) or in a manual page (name.1).
std::vector<ShownCommand> shown_commands_in(const std::string& text, bool man_page);

/// What is wrong with it: no such command or option, or, in a whole one, a value that its option refuses; "" if
/// nothing.
std::string fault_of(const ShownCommand& shown);

}  // namespace fercli
