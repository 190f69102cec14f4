#pragma once

#include <map>
#include <string>

#include "core/options.hpp"

namespace fercli {

/// The manual pages, by file name ("fercli.1", "fercli-attack.1", "fercli-data-stats.1", …), made of what the commands
/// declare, of commands/tasks.hpp, and of `texts`: further text by page name ("fercli-attack") in the Markdown of
/// commands/docs/roff.hpp.
std::map<std::string, std::string> man_pages(const std::map<std::string, std::string>& texts);

}  // namespace fercli
