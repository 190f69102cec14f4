// Completion for bash 4 and newer, with or without the package bash-completion.
#include <fmt/format.h>

#include "commands/docs/completion.hpp"
#include "commands/docs/values.hpp"
#include "core/command.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr const char* kBashHead = R"(# bash completion for fercli, made by `fercli docs completion`

# Offers those of the words $1 that begin with $2.
_fercli_words() {
  local word
  for word in $1; do
    [[ $word != "$2"* ]] || COMPREPLY+=("$word")
  done
}

# Offers files that begin with $2 and have one of the extensions $1 ("csv|ferpack"; "": any), and folders.
_fercli_files() {
  local file begin=${2//\\/}
  begin=${begin#[\"\']}
  begin=${begin/#\~/$HOME}
  compopt -o filenames 2>/dev/null
  while IFS= read -r file; do
    if [[ -d $file || -z $1 || ${file,,} =~ \.($1)$ ]]; then COMPREPLY+=("$file"); fi
  done < <(compgen -f -- "$begin")
}

_fercli_folders() {
  local folder begin=${1//\\/}
  begin=${begin#[\"\']}
  begin=${begin/#\~/$HOME}
  compopt -o filenames 2>/dev/null
  while IFS= read -r folder; do COMPREPLY+=("$folder"); done < <(compgen -d -- "$begin")
}

# Offers the words $1 for the last of several, separated by commas, that begin $2.
_fercli_list() {
  local before=""
  [[ $2 != *,* ]] || before=${2%,*},
  local word typed=${2##*,}
  for word in $1; do
    [[ $word != "$typed"* ]] || COMPREPLY+=("$before$word")
  done
}
)";

constexpr const char* kBashGoal = R"(
# Offers SOURCE-to-TARGET: first the source, then the target. Synonyms come only where no usual name fits.
_fercli_goal() {
  local before="" emotion typed=${1,,} after="-to-" names
  if [[ $typed == *-to-* ]]; then
    before=${typed%-to-*}-to-
    typed=${typed##*-to-}
    after=""
  else
    _fercli_words untargeted "$typed"
  fi
  for names in "any @EMOTIONS@" "@OTHERS@"; do
    for emotion in $names; do
      [[ $emotion != "$typed"* || $emotion-to- == "$before" ]] || COMPREPLY+=("$before$emotion$after")
    done
    ((${#COMPREPLY[@]} == 0)) || break
  done
  [[ -z $after || ${COMPREPLY[0]} == untargeted ]] || compopt -o nospace 2>/dev/null
}
)";

constexpr const char* kBashTail = R"(
_fercli() {
  local current=${COMP_WORDS[COMP_CWORD]} place=$COMP_CWORD first=2 option="" command=${COMP_WORDS[1]} i
  COMPREPLY=()
  if ((place == 1)); then
    _fercli_words "@COMMANDS@ --help --version" "$current"
    return
  fi
  case $command in
    @GROUPS@)
      if ((place == 2)); then
        _fercli_subcommands "$command" "$current"
        return
      fi
      command+=" ${COMP_WORDS[2]}"
      first=3
      ;;
  esac
  # The option whose value is typed: --option VALUE, --option=VALUE (three words to bash), or one of several values.
  if [[ $current == = ]]; then
    current=""
    option=${COMP_WORDS[place - 1]}
  elif [[ ${COMP_WORDS[place - 1]} == = ]]; then
    option=${COMP_WORDS[place - 2]}
  else
    for ((i = place - 1; i >= first; i--)); do
      [[ ${COMP_WORDS[i]} != -* ]] || break
    done
    ((i < first)) || option=${COMP_WORDS[i]}
    if ((place - i > 1)) && ! _fercli_many "$option"; then option=""; fi
  fi
  if [[ -n $option && $current != -* ]] && _fercli_value "$command" "$option" "$current"; then return; fi
  if [[ $current == -* ]]; then
    _fercli_options "$command" "$current"
  else
    _fercli_positional "$command" "$current"
  fi
}

complete -F _fercli fercli
)";

std::string offers(const OptionValues& values, const char* typed) {
  std::vector<std::string> calls;
  if (values.goal) calls.push_back(fmt::format("_fercli_goal {}", typed));
  if (!values.words.empty()) {
    calls.push_back(
        fmt::format("{} \"{}\" {}", values.list ? "_fercli_list" : "_fercli_words", join(values.words, " "), typed));
  }
  if (values.files) calls.push_back(fmt::format("_fercli_files \"{}\" {}", join(values.extensions, "|"), typed));
  if (values.folders) calls.push_back(fmt::format("_fercli_folders {}", typed));
  return calls.empty() ? ":" : join(calls, "; ");
}

std::vector<std::string> spellings(const DeclaredOption& option) {
  std::vector<std::string> names;
  if (option.short_name) names.push_back(std::string("-") + option.short_name);
  names.push_back("--" + option.name);
  return names;
}

/// What `_fercli_value`, `_fercli_options` and `_fercli_positional` do for one command.
struct BashCases {
  std::string value, options, positional;
};

BashCases cases_of(const std::vector<std::string>& words) {
  const Declaration declaration = declaration_of(words);
  const std::string name = declaration.command;
  BashCases cases;
  std::vector<std::string> all{"--help"};
  for (const auto& option : declaration.options) {
    all.push_back("--" + option.name);
    if (option.is_flag) continue;
    std::vector<std::string> patterns;
    for (const auto& spelling : spellings(option)) patterns.push_back(fmt::format("\"{} {}\"", name, spelling));
    cases.value += fmt::format("    {}) {} ;;\n", join(patterns, " | "), offers(values_of(option), "\"$3\""));
  }
  cases.options = fmt::format("    \"{}\") _fercli_words \"{}\" \"$2\" ;;\n", name, join(all, " "));
  // Which of several words is typed hardly matters: all are offered.
  std::vector<std::string> calls;
  for (const auto& values : values_of_usage(declaration.usage)) {
    const std::string call = offers(values, "\"$2\"");
    if (std::find(calls.begin(), calls.end(), call) == calls.end()) calls.push_back(call);
  }
  if (!calls.empty()) cases.positional = fmt::format("    \"{}\") {} ;;\n", name, join(calls, "; "));
  return cases;
}

/// Options that take several words; the name alone tells, whatever the command.
std::vector<std::string> many_options() {
  std::vector<std::string> names;
  for (const auto& words : callable_commands()) {
    for (const auto& option : declaration_of(words).options) {
      if (!option.many) continue;
      for (const auto& spelling : spellings(option)) {
        if (std::find(names.begin(), names.end(), spelling) == names.end()) names.push_back(spelling);
      }
    }
  }
  return names;
}

std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  const size_t place = text.find(mark);
  return place == std::string::npos ? text : text.replace(place, mark.size(), by);
}

}  // namespace

std::string bash_completion() {
  std::string value, options, positional, subcommands;
  for (const auto& words : callable_commands()) {
    const BashCases cases = cases_of(words);
    value += cases.value;
    options += cases.options;
    positional += cases.positional;
  }
  std::vector<std::string> names, groups;
  for (const auto& command : shown_commands()) {
    names.push_back(command.name);
    if (command.subcommands.empty()) continue;
    groups.push_back(command.name);
    std::vector<std::string> seconds{"--help"};
    for (const auto& each : command.subcommands) seconds.push_back(each.name);
    subcommands += fmt::format("    {}) _fercli_words \"{}\" \"$2\" ;;\n", command.name, join(seconds, " "));
  }
  const auto goal = replaced(replaced(kBashGoal, "@EMOTIONS@", join(goal_emotions(), " ")), "@OTHERS@",
                             join(other_emotion_names(), " "));
  const auto tail = replaced(replaced(kBashTail, "@COMMANDS@", join(names, " ")), "@GROUPS@", join(groups, " | "));
  return kBashHead + goal +
         fmt::format("\n_fercli_many() {{\n  case $1 in\n    {}) return 0 ;;\n  esac\n  return 1\n}}\n",
                     join(many_options(), " | ")) +
         "\n# The value $3 of the option $2 of the command $1; fails where the option takes none.\n_fercli_value() {\n"
         "  case \"$1 $2\" in\n" +
         value + "    *) return 1 ;;\n  esac\n}\n" + "\n_fercli_options() {\n  case $1 in\n" + options + "  esac\n}\n" +
         "\n_fercli_positional() {\n  case $1 in\n" + positional + "  esac\n}\n" +
         "\n_fercli_subcommands() {\n  case $1 in\n" + subcommands + "  esac\n}\n" + tail;
}

}  // namespace fercli
