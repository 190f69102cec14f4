#include "core/command.hpp"

#include <stdexcept>

namespace fercli {

namespace {

/// Calls `fercli WORDS… LAST`, where LAST keeps the command from running.
void call_without_running(std::vector<std::string> words, const char* last) {
  if (words.empty()) throw UserError("a command is missing");
  const Command& command = Registry<Command>::instance().get(words.front());
  words.erase(words.begin());
  words.emplace_back(last);
  command.run(words);
  throw std::logic_error("fercli " + command.name + " ran without reading its options");
}

Declaration declared(const std::vector<std::string>& words, const char* last) {
  try {
    call_without_running(words, last);
  } catch (const Declaration& declaration) {
    return declaration;
  }
  return {};
}

}  // namespace

std::vector<Command> shown_commands() {
  std::vector<Command> shown;
  for (const auto& command : Registry<Command>::instance().all()) {
    if (!command.hidden) shown.push_back(command);
  }
  return shown;
}

std::vector<std::vector<std::string>> callable_commands() {
  std::vector<std::vector<std::string>> calls;
  for (const auto& command : shown_commands()) {
    if (command.subcommands.empty()) calls.push_back({command.name});
    for (const auto& each : command.subcommands) calls.push_back({command.name, each.name});
  }
  return calls;
}

Declaration declaration_of(const std::vector<std::string>& words) {
  return declared(words, kDeclareOnly);
}

Declaration given_by(const std::vector<std::string>& words) {
  return declared(words, kDeclareGiven);
}

void check_usage(const std::vector<std::string>& words) {
  const bool help_of_a_group = words.size() == 2 && (words[1] == "--help" || words[1] == "-h");
  if (help_of_a_group && !Registry<Command>::instance().get(words[0]).subcommands.empty()) return;
  try {
    call_without_running(words, kCheckOnly);
  } catch (const Checked&) {
  }
}

}  // namespace fercli
