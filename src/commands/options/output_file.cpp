#include "commands/options/output_file.hpp"

#include <fmt/format.h>

#include "core/files.hpp"
#include "core/options.hpp"

namespace fercli {

void OutputFileOption::declare(OptionSet& options, const std::string& placeholder, const std::string& help) {
  options.text("out,o", &path, placeholder, help);
  declare_force(options, &force);
}

OutputLock OutputFileOption::take(const OptionSet& options) const {
  require_free(options, "out", path, force);
  return OutputLock::of_file(path);
}

void declare_force(OptionSet& options, bool* force) {
  options.flag("force", force, "replace a file that is there");
}

bool is_taken(const std::filesystem::path& file, bool force) {
  std::error_code error;
  return !force && !is_channel(file) && std::filesystem::exists(file, error);
}

void require_free(const OptionSet& options, const std::string& option, const std::filesystem::path& file, bool force) {
  if (is_taken(file, force)) {
    options.fail(option, fmt::format("{} is there already; --force replaces it", file.string()));
  }
}

}  // namespace fercli
