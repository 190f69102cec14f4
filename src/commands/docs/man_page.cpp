#include "commands/docs/man_page.hpp"

#include <fmt/format.h>

#include "commands/docs/roff.hpp"
#include "commands/tasks.hpp"
#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

using Texts = std::map<std::string, std::string>;

/// "fercli-data-stats" of "data stats".
std::string page_name(const std::string& command) {
  return "fercli-" + join(split(command, ' '), "-");
}

std::string page_head(const std::string& page, const std::string& summary) {
  return fmt::format(".\\\" Made by `fercli docs man`.\n.TH {} 1 {} {} {}\n.SH NAME\n{} \\- {}\n",
                     roff_argument(to_upper(page)), "\"" + std::string(revision_date()) + "\"",
                     roff_argument(fmt::format("fercli {}", version())), roff_argument("User commands"),
                     roff_text(page), roff_text(summary));
}

std::string synopsis(const std::string& command, const std::string& words) {
  return fmt::format(".SH SYNOPSIS\n.B {}\n{}[options]\n", roff_text(trim("fercli " + command)),
                     words.empty() ? "" : "\\fI" + roff_text(words) + "\\fR ");
}

std::string option_entry(const DeclaredOption& option) {
  std::string head;
  if (option.short_name) head += fmt::format("\\fB\\-{}\\fR, ", option.short_name);
  head += "\\fB" + roff_text("--" + option.name) + "\\fR";
  if (!option.metavar.empty()) head += " \\fI" + roff_text(option.metavar) + "\\fR";
  if (option.many) head += roff_text("…");
  std::string help = option.help;
  if (!option.default_text.empty()) help += fmt::format(" (default {})", option.default_text);
  return ".TP\n" + head + "\n" + roff_text(help) + "\n";
}

std::string options_section(const Declaration& declaration) {
  std::string out = ".SH OPTIONS\n";
  for (const auto& title : declaration.sections()) {
    out += ".SS " + roff_argument(title.empty() ? "General" : title) + "\n";
    for (const auto& option : declaration.options) {
      if (option.section == title) out += option_entry(option);
    }
    if (title.empty()) out += ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow the options\n";
  }
  return out;
}

std::string examples(const std::vector<Task>& tasks) {
  if (tasks.empty()) return "";
  std::string out = ".SH EXAMPLES\n";
  for (size_t i = 0; i < tasks.size(); ++i) {
    std::string what = tasks[i].what;
    what[0] = to_upper(what.substr(0, 1))[0];
    out += fmt::format("{}{}:\n.PP\n{}", i == 0 ? "" : ".PP\n", roff_text(what), roff_example(tasks[i].command));
  }
  return out;
}

std::string exit_status() {
  const std::pair<const char*, const char*> codes[] = {
      {"0", "done"},
      {"1", "the run failed, for example on a full disk; `predict` and `live` go on to the next file or source first"},
      {"2", "wrong usage or unreadable input"},
      {"3", "`eval --min-robust`: the network is less robust than that"},
      {"130", "interrupted; `live` and `serve` run until then and end with 0"}};
  std::string out = ".SH \"EXIT STATUS\"\n";
  for (const auto& [code, meaning] : codes) out += fmt::format(".TP\n{}\n{}\n", code, roff_text(meaning));
  return out;
}

std::string see_also(const std::vector<std::string>& pages) {
  std::vector<std::string> references;
  for (const auto& page : pages) references.push_back(fmt::format(".BR {} (1)", roff_text(page)));
  return ".SH \"SEE ALSO\"\n" + join(references, ",\n") + "\n";
}

std::string text_of(const Texts& texts, const std::string& page) {
  const auto found = texts.find(page);
  return found == texts.end() ? "" : roff_of_markdown(found->second);
}

std::string page_of_options(const Declaration& declaration, const std::string& summary, const std::string& parent,
                            const Texts& texts) {
  const std::string page = page_name(declaration.command);
  return page_head(page, summary) + synopsis(declaration.command, declaration.usage) + ".SH DESCRIPTION\n" +
         roff_text(join(split(declaration.summary, '\n'), " ")) + "\n" + text_of(texts, page) +
         options_section(declaration) + examples(tasks_of(declaration.command)) + exit_status() +
         see_also(parent == "fercli" ? std::vector<std::string>{parent} : std::vector<std::string>{"fercli", parent});
}

/// The page of a command that only dispatches to others.
std::string page_of_group(const Command& command, const Texts& texts) {
  const std::string page = page_name(command.name);
  std::string out = page_head(page, command.summary) + synopsis(command.name, "SUBCOMMAND") + ".SH SUBCOMMANDS\n";
  std::vector<std::string> pages{"fercli"};
  for (const auto& each : command.subcommands) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff_text(each.name), roff_text(each.summary));
    pages.push_back(page_name(command.name + " " + each.name));
  }
  return out + text_of(texts, page) + examples(tasks_of(command.name)) + exit_status() + see_also(pages);
}

std::string overview_page(const Texts& texts) {
  std::string out = page_head("fercli", "adversarial robustness of facial expression recognition") +
                    synopsis("", "COMMAND") + ".SH DESCRIPTION\n" +
                    roff_text(
                        "fercli trains networks for facial expression recognition, measures them, and changes a "
                        "face so that a network reads another emotion while nobody sees the change.") +
                    "\n" + text_of(texts, "fercli") + ".SH COMMANDS\n";
  std::vector<std::string> pages;
  for (const auto& command : shown_commands()) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff_text(command.name), roff_text(command.summary));
    pages.push_back(page_name(command.name));
  }
  out +=
      ".SH OPTIONS\n.TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow the common tasks and the commands\n.TP\n\\fB\\-V\\fR, "
      "\\fB\\-\\-version\\fR\nshow the version\n";
  return out + examples(common_tasks()) + exit_status() + see_also(pages);
}

}  // namespace

std::map<std::string, std::string> man_pages(const Texts& texts) {
  std::map<std::string, std::string> pages{{"fercli.1", overview_page(texts)}};
  for (const auto& command : shown_commands()) {
    const std::string page = page_name(command.name);
    if (command.subcommands.empty()) {
      pages[page + ".1"] = page_of_options(declaration_of({command.name}), command.summary, "fercli", texts);
      continue;
    }
    pages[page + ".1"] = page_of_group(command, texts);
    for (const auto& each : command.subcommands) {
      const std::string name = command.name + " " + each.name;
      pages[page_name(name) + ".1"] =
          page_of_options(declaration_of({command.name, each.name}), each.summary, page, texts);
    }
  }
  return pages;
}

}  // namespace fercli
