// fercli help: the common tasks and all commands, or the options of one command.
#include <fmt/format.h>

#include <algorithm>

#include "commands/tasks.hpp"
#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/options.hpp"

namespace fercli::help_command {

namespace {

size_t widest(const std::vector<std::string>& words) {
  size_t width = 0;
  for (const auto& word : words) width = std::max(width, word.size());
  return width;
}

void print_overview() {
  print_text(
      "fercli {} - adversarial robustness of facial expression recognition\n\nUsage: fercli COMMAND [options]\n\n"
      "Common tasks:\n",
      version());
  std::vector<std::string> tasks, names;
  for (const auto& task : common_tasks()) tasks.push_back(task.what);
  for (const auto& command : shown_commands()) names.push_back(command.name);
  const size_t task_width = widest(tasks), name_width = widest(names);
  for (const auto& task : common_tasks()) print_text("  {:<{}}  {}\n", task.what, task_width, task.command);
  print_text("\nCommands:\n");
  for (const auto& command : shown_commands()) {
    print_text("  {:<{}}  {}\n", command.name, name_width, command.summary);
  }
  print_text(
      "\n`fercli help COMMAND` shows the options of a command, `man fercli-COMMAND` examples too.\n"
      "`--plugin FILE.so` adds attacks and more that were built outside the program (CONTRIBUTING.md).\n"
      "Exit codes: 0 done, 1 the run failed, 2 wrong usage or unreadable input, 3 not robust enough (--min-robust),\n"
      "130 interrupted.\n");
}

int run(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  OptionSet options("help", "[COMMAND]", "Show the common tasks and all commands, or the options of one command.");
  options.positional(&words, 0, 2);
  if (!options.parse(arguments)) return 0;
  if (words.empty()) {
    print_overview();
    return 0;
  }
  const Command& command = Registry<Command>::instance().get(words[0]);
  if (words.size() > 1 && command.subcommands.empty())
    throw UserError(fmt::format("fercli help: {} has no subcommand '{}'", command.name, words[1]));
  words.erase(words.begin());
  words.emplace_back("--help");
  return command.run(words);
}

const Register<Command> registered{{"help", "the common tasks, or the options of one command", run}};

}  // namespace

}  // namespace fercli::help_command
