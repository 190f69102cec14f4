#pragma once

#include <map>
#include <string>

namespace fercli {

/// The completion script of each shell, by the path under share/ where the shell looks for it.
/// They are made of what the commands declare: subcommands, options, choices, names of attacks, models and emotions,
/// and files by type.
std::map<std::string, std::string> completions();

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace fercli
