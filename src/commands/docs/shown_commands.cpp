#include "commands/docs/shown_commands.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "commands/docs/roff.hpp"
#include "core/command.hpp"
#include "core/plug_in.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// The words of a shell command up to its end (a pipe, a redirection, the next command, a remark).
std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool open = false;
  char quote = 0;
  for (size_t i = 0; i <= line.size(); ++i) {
    const char c = i < line.size() ? line[i] : ' ';
    if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      open = true;
    } else if (c == '\\' && i + 1 < line.size()) {
      word += line[++i];
      open = true;
    } else if (c == ' ' || std::string("|><&;#").find(c) != std::string::npos) {
      // A bar inside a word parts alternatives: stats|audit.
      if (c == '#' && open) {
        word += c;
      } else if (c == '|' && open && i + 1 < line.size() && line[i + 1] != ' ') {
        word += c;
      } else {
        if (open && word != "…") words.push_back(word);
        word.clear();
        open = false;
        if (c != ' ') break;
      }
    } else {
      word += c;
      open = true;
    }
  }
  return words;
}

/// Adds the command that the line shows, if it shows one of fercli's.
void add_shown(std::vector<ShownCommand>& shown, size_t line, const std::string& text, bool whole) {
  std::string command = trim(text);
  for (const std::string before : {"$ ", "build/release/"}) {
    if (command.rfind(before, 0) == 0) command = command.substr(before.size());
  }
  if (command.rfind("fercli ", 0) != 0) return;
  auto words = shell_words(command);
  words = command_first({words.begin() + 1, words.end()});
  if (!words.empty()) shown.push_back({line, words, whole});
}

/// The commands between backticks, which may go on in the next line.
void add_mentions(std::vector<ShownCommand>& shown, size_t line, const std::string& paragraph) {
  size_t begin = 0;
  for (size_t open; (open = paragraph.find('`', begin)) != std::string::npos;) {
    const size_t close = paragraph.find('`', open + 1);
    if (close == std::string::npos) return;
    const auto breaks = std::count(paragraph.begin(), paragraph.begin() + static_cast<std::ptrdiff_t>(open), '\n');
    std::string code = paragraph.substr(open + 1, close - open - 1);
    std::replace(code.begin(), code.end(), '\n', ' ');
    for (size_t bar; (bar = code.find("\\|")) != std::string::npos;) code.erase(bar, 1);  // in a table
    add_shown(shown, line + static_cast<size_t>(breaks), code, false);
    begin = close + 1;
  }
}

/// "a|b" into "a" and "b".
std::vector<std::string> alternatives(const std::string& word) {
  return split(word, '|');
}

bool is_placeholder(const std::string& word) {
  return word != to_lower(word) || word.empty();
}

/// A mention may leave out words and name values by capitals: only command and options have to exist.
void check_mention(const std::vector<std::string>& words) {
  for (const auto& name : alternatives(words[0])) {
    if (is_placeholder(name)) continue;
    if (name[0] == '-') {
      if (name != "--help" && name != "-h" && name != "--version" && name != "-V")
        throw UserError(name + ": unknown option");
      continue;
    }
    const Command& command = Registry<Command>::instance().get(name);
    std::vector<std::vector<std::string>> calls;
    if (command.subcommands.empty())
      calls.push_back({name});
    else if (words.size() > 1 && !is_placeholder(words[1]) && words[1][0] != '-')
      for (const auto& each : alternatives(words[1])) calls.push_back({name, each});
    for (const auto& call : calls) {
      const Declaration declaration = declaration_of(call);
      for (const auto& word : words) {
        if (word.rfind("--", 0) != 0 || word == "--help" || word == "--") continue;
        const std::string option = word.substr(2, word.find('=') - 2);
        const bool known = std::any_of(declaration.options.begin(), declaration.options.end(),
                                       [&](const auto& each) { return each.name == option; });
        if (!known) throw UserError(fmt::format("fercli {}: --{}: unknown option", declaration.command, option));
      }
    }
  }
}

}  // namespace

std::vector<ShownCommand> shown_commands_in(const std::string& text, bool man_page) {
  std::vector<ShownCommand> shown;
  std::string paragraph;
  size_t number = 0, paragraph_begin = 1;
  bool fenced = false, no_fill = false;
  const auto end_paragraph = [&] {
    add_mentions(shown, paragraph_begin, paragraph);
    paragraph.clear();
  };
  std::string continued;
  size_t continued_line = 0;
  for (const auto& raw : split_lines(text)) {
    ++number;
    if (man_page) {
      if (raw == ".nf" || raw == ".fi")
        no_fill = raw == ".nf";
      else if (no_fill)
        add_shown(shown, number, text_of_roff(raw), true);
      continue;
    }
    if (raw.rfind("```", 0) == 0) {
      end_paragraph();
      fenced = !fenced;
    } else if (fenced || raw.rfind("    ", 0) == 0) {
      end_paragraph();
      if (continued.empty()) continued_line = number;
      continued += raw;
      if (!continued.empty() && continued.back() == '\\') {
        continued.pop_back();
        continue;
      }
      add_shown(shown, continued_line, continued, true);
      continued.clear();
    } else {
      if (trim(raw).empty()) end_paragraph();
      if (paragraph.empty()) paragraph_begin = number;
      paragraph += raw + "\n";
    }
  }
  end_paragraph();
  return shown;
}

std::string fault_of(const ShownCommand& shown) {
  try {
    if (shown.whole && shown.words.front()[0] != '-') {
      check_usage(shown.words);
    } else {
      check_mention(shown.words);
    }
    return "";
  } catch (const UserError& error) {
    return error.what();
  }
}

}  // namespace fercli
