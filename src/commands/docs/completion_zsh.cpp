// Completion for zsh.
#include <fmt/format.h>

#include "commands/docs/completion.hpp"
#include "commands/docs/values.hpp"
#include "core/command.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr const char* kZshHead = R"(#compdef fercli
# zsh completion for fercli, made by `fercli docs completion`

# SOURCE-to-TARGET: first the source, then the target.
_fercli_goal() {
  local -a emotions
  emotions=(any @EMOTIONS@)
  if compset -P '*-to-'; then
    compadd -a emotions
  else
    compadd untargeted
    compadd -S '-to-' -a emotions
  fi
}
)";

/// For a text between single quotes inside an `_arguments` specification: colons and brackets part its fields.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

std::string zsh_glob(const std::vector<std::string>& extensions) {
  if (extensions.empty()) return "_files";
  // One name between parentheses at the end would be a qualifier.
  const std::string end = extensions.size() == 1 ? extensions[0] : fmt::format("({})", join(extensions, "|"));
  return fmt::format("_files -g \"(#i)*.{}\"", end);
}

/// The action of a specification: what completes the value.
std::string zsh_action(const OptionValues& values) {
  std::vector<std::string> alternatives;
  if (values.goal) alternatives.emplace_back("_fercli_goal");
  if (!values.words.empty()) {
    alternatives.push_back(
        fmt::format(values.list ? "_sequence compadd - {}" : "compadd - {}", join(values.words, " ")));
  }
  if (values.files) alternatives.push_back(zsh_glob(values.extensions));
  if (values.folders) alternatives.emplace_back("_files -/");
  if (alternatives.empty()) return " ";
  if (alternatives.size() == 1 && !values.words.empty() && !values.list)
    return fmt::format("({})", zsh_text(join(values.words, " ")));
  return fmt::format("{{{}}}", zsh_text(join(alternatives, "; ")));
}

std::string zsh_option(const DeclaredOption& option) {
  const std::string value =
      option.is_flag ? "" : fmt::format(":{}:{}", zsh_text(option.metavar), zsh_action(values_of(option)));
  const std::string help = fmt::format("[{}]", zsh_text(option.help));
  const std::string sign = option.is_flag ? "" : "=", again = option.many ? "*" : "";
  if (!option.short_name) return fmt::format("    '{}--{}{}{}{}'", again, option.name, sign, help, value);
  const std::string exclusive = option.many ? "'*'" : fmt::format("'(-{} --{})'", option.short_name, option.name);
  return fmt::format("    {}{{-{}{},--{}{}}}'{}{}'", exclusive, option.short_name, option.is_flag ? "" : "+",
                     option.name, sign, help, value);
}

std::string zsh_function(const std::vector<std::string>& words) {
  const Declaration declaration = declaration_of(words);
  std::vector<std::string> lines;
  for (const auto& option : declaration.options) lines.push_back(zsh_option(option));
  lines.emplace_back("    '(-h --help)'{-h,--help}'[show the options]'");
  const auto usage = split(declaration.usage, ' ');
  const bool more = declaration.usage.find("…") != std::string::npos;
  const auto all = values_of_usage(declaration.usage);
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string place = more && i + 1 == all.size() ? "*" : std::to_string(i + 1);
    lines.push_back(fmt::format("    '{}:{}:{}'", place, zsh_text(usage[i]), zsh_action(all[i])));
  }
  return fmt::format("\n_fercli_{}() {{\n  _arguments -s -S \\\n{}\n}}\n", join(words, "_"), join(lines, " \\\n"));
}

/// Chooses by the first word: `describe NAME 'name:summary' …`, then the function of the word.
std::string zsh_choice(const std::string& function, const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string list, names;
  for (const auto& [name, summary] : entries) {
    list += fmt::format("    '{}:{}'\n", name, zsh_text(summary));
    names += (names.empty() ? "" : "|") + name;
  }
  return fmt::format(R"(
{0}() {{
  local -a entries
  entries=(
{1}  )
  if (( CURRENT == 2 )); then
    _describe command entries
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
    {2}) {0}_$words[1] ;;
  esac
}}
)",
                     function, list, names);
}

}  // namespace

std::string zsh_completion() {
  std::string head = kZshHead;
  const std::string mark = "@EMOTIONS@";
  head.replace(head.find(mark), mark.size(), join(goal_emotions(), " "));
  std::string out = head;
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& command : shown_commands()) {
    entries.emplace_back(command.name, command.summary);
    if (command.subcommands.empty()) continue;
    std::vector<std::pair<std::string, std::string>> seconds;
    for (const auto& each : command.subcommands) seconds.emplace_back(each.name, each.summary);
    out += zsh_choice("_fercli_" + command.name, seconds);
  }
  for (const auto& words : callable_commands()) out += zsh_function(words);
  // The file is the body of the function _fercli when it is loaded, so the function calls itself once it is defined.
  return out + zsh_choice("_fercli", entries) + "\n_fercli \"$@\"\n";
}

}  // namespace fercli
