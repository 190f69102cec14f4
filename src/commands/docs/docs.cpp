// fercli docs man|completion|help|check: for the build and its tests. Manual pages and completions are made of what the
// commands declare, and texts are checked against it.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "commands/docs/completion.hpp"
#include "commands/docs/man_page.hpp"
#include "commands/docs/shown_commands.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/text.hpp"

namespace fercli::docs_command {

namespace {

namespace fs = std::filesystem;

void write_all(const std::map<std::string, std::string>& files, const fs::path& folder) {
  for (const auto& [name, text] : files) write_file(folder / name, text);
  print_text("{}: {} files\n", folder.string(), files.size());
}

int run_man(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  std::string folder;
  OptionSet options("docs man", "DIR", "Write the manual pages.");
  options.positional(&words, 1, 1);
  options.text("texts", &folder, "DIR", "further text of a page: DIR/PAGE.md");
  if (!options.parse(arguments)) return 0;
  std::map<std::string, std::string> texts;
  if (!folder.empty()) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".md") texts[entry.path().stem().string()] = read_file(entry.path());
    }
  }
  const auto pages = man_pages(texts);
  for (const auto& [page, text] : texts) {
    if (pages.count(page + ".1") == 0) throw UserError(fmt::format("{}/{}.md: there is no such page", folder, page));
  }
  write_all(pages, words[0]);
  return 0;
}

int run_completion(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  OptionSet options("docs completion", "DIR", "Write the completion scripts of bash, zsh and fish.");
  options.positional(&words, 1, 1);
  if (!options.parse(arguments)) return 0;
  write_all(completions(), words[0]);
  return 0;
}

/// Writes what `fercli help WORDS…` prints. A process of its own prints it: pages go to the standard output alone.
void write_page(const std::vector<std::string>& words, const fs::path& file) {
  std::fflush(nullptr);
  const pid_t process = ::fork();
  if (process == 0) {
    const bool written = std::freopen(file.c_str(), "w", stdout) != nullptr &&
                         Registry<Command>::instance().get("help").run(words) == 0 && std::fflush(stdout) == 0;
    ::_exit(written ? 0 : 1);
  }
  int status = 1;
  if (process < 0 || ::waitpid(process, &status, 0) != process || status != 0)
    throw RunError(fmt::format("fercli docs help: {}: cannot be written", file.string()));
}

int run_help(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  OptionSet options("docs help", "DIR", "Write the pages that `fercli help` shows.");
  options.positional(&words, 1, 1);
  if (!options.parse(arguments)) return 0;
  const fs::path folder = words[0];
  fs::create_directories(folder);
  write_page({}, folder / "fercli");
  for (const auto& command : shown_commands()) {
    write_page({command.name}, folder / command.name);
    for (const auto& each : command.subcommands)
      write_page({command.name, each.name}, folder / (command.name + " " + each.name));
  }
  return 0;
}

int run_check(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  OptionSet options("docs check", "FILE …",
                    "Check that the commands which texts show exist and that their options parse.");
  options.positional(&files, 1, 10000);
  if (!options.parse(arguments)) return 0;
  size_t commands = 0, faults = 0;
  for (const auto& file : files) {
    for (const auto& shown : shown_commands_in(read_file(file), fs::path(file).extension() == ".1")) {
      ++commands;
      const std::string fault = fault_of(shown);
      if (fault.empty()) continue;
      ++faults;
      print_text("{}:{}: fercli {}: {}\n", file, shown.line, join(shown.words, " "), fault);
    }
  }
  print_text("{} commands in {} texts, {} of them wrong\n", commands, files.size(), faults);
  return faults == 0 ? 0 : 1;
}

const std::vector<Subcommand> kDocsSubcommands{
    {"man", "write the manual pages", run_man},
    {"completion", "write the completion scripts", run_completion},
    {"help", "write the pages of help", run_help},
    {"check", "check the commands that texts show", run_check},
};

int run(const std::vector<std::string>& arguments) {
  const std::string word = arguments.empty() ? "" : arguments[0];
  for (const auto& each : kDocsSubcommands) {
    if (word == each.name) return each.run({arguments.begin() + 1, arguments.end()});
  }
  throw UserError("fercli docs: needs a subcommand (man, completion, help, check)");
}

const Register<Command> registered{
    {"docs", "manual pages, completions and pages of help", run, kDocsSubcommands, true}};

}  // namespace

}  // namespace fercli::docs_command
