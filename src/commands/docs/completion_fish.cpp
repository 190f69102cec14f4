// Completion for fish.
#include <fmt/format.h>

#include "commands/docs/completion.hpp"
#include "commands/docs/values.hpp"
#include "core/command.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr const char* kFishHead = R"(# fish completion for fercli, made by `fercli docs completion`

# True when the words after fercli begin with these, and nothing but them if the first argument is `only`.
function __fercli_at
    set -l only 0
    if test "$argv[1]" = only
        set only 1
        set -e argv[1]
    end
    set -l words (commandline -opc)
    set -e words[1]
    set -l n (count $argv)
    test $only = 1; and test (count $words) -ne $n; and return 1
    test (count $words) -ge $n; or return 1
    for i in (seq $n)
        test "$words[$i]" = "$argv[$i]"; or return 1
    end
    return 0
end

# The value that is typed, without its option: of --out=a, a.
function __fercli_typed
    set -l token (commandline -ct)
    string replace -r -- '^--[a-z0-9-]+=' '' "$token"
end

# Files whose names end in one of these extensions (none: any), and folders.
function __fercli_files
    set -l pattern (string join '|' $argv)
    set -l typed (__fercli_typed)
    for file in (__fish_complete_path "$typed")
        set -l name (string split \t -- $file)[1]
        if test -z "$pattern"; or string match -q '*/' -- $name; or string match -qri "\.($pattern)\$" -- $name
            echo $name
        end
    end
end

function __fercli_folders
    set -l typed (__fercli_typed)
    __fish_complete_directories "$typed" | string split -f1 \t
end

# The words for the last of several that are separated by commas.
function __fercli_list
    set -l typed (__fercli_typed)
    set -l before (string match -r '^.*,' -- "$typed")
    for word in $argv
        echo "$before$word"
    end
end

# SOURCE-to-TARGET: first the source, then the target.
function __fercli_goals
    set -l typed (__fercli_typed)
    set -l before (string match -r '^.*-to-' -- "$typed")
    for emotion in any @EMOTIONS@
        if test -n "$before"
            echo "$before$emotion"
        else
            echo $emotion-to-
        end
    end
    test -n "$before"; or echo untargeted
end

complete -c fercli -f
)";

std::string fish_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return "'" + out + "'";
}

/// The candidates as the text of a fish expression; "" for nothing to offer.
std::string fish_candidates(const OptionValues& values) {
  std::vector<std::string> pieces;
  if (values.goal) pieces.emplace_back("(__fercli_goals)");
  if (!values.words.empty())
    pieces.push_back(values.list ? fmt::format("(__fercli_list {})", join(values.words, " "))
                                 : join(values.words, " "));
  if (values.files) {
    pieces.push_back(values.extensions.empty() ? "(__fercli_files)"
                                               : fmt::format("(__fercli_files {})", join(values.extensions, " ")));
  }
  if (values.folders) pieces.emplace_back("(__fercli_folders)");
  return join(pieces, " ");
}

std::string fish_command(const std::vector<std::string>& words) {
  const Declaration declaration = declaration_of(words);
  const std::string here = fmt::format("complete -c fercli -n '__fercli_at {}'", join(words, " "));
  std::string out;
  for (const auto& option : declaration.options) {
    out += fmt::format("{} -l {}", here, option.name);
    if (option.short_name) out += fmt::format(" -s {}", option.short_name);
    if (!option.is_flag) out += " -x";
    const std::string candidates = option.is_flag ? "" : fish_candidates(values_of(option));
    if (!candidates.empty()) out += " -a " + fish_text(candidates);
    out += " -d " + fish_text(option.help) + "\n";
  }
  out += here + " -l help -s h -d 'show the options'\n";
  for (const auto& values : values_of_usage(declaration.usage)) {
    const std::string candidates = fish_candidates(values);
    if (!candidates.empty()) out += fmt::format("{} -a {}\n", here, fish_text(candidates));
  }
  return out;
}

}  // namespace

std::string fish_completion() {
  std::string out = kFishHead;
  const std::string mark = "@EMOTIONS@";
  out.replace(out.find(mark), mark.size(), join(goal_emotions(), " "));
  const std::string first = "complete -c fercli -n '__fercli_at only";
  for (const auto& command : shown_commands()) {
    out += fmt::format("{}' -a {} -d {}\n", first, command.name, fish_text(command.summary));
    for (const auto& each : command.subcommands) {
      out += fmt::format("{} {}' -a {} -d {}\n", first, command.name, each.name, fish_text(each.summary));
    }
  }
  for (const auto& words : callable_commands()) out += fish_command(words);
  return out;
}

}  // namespace fercli
