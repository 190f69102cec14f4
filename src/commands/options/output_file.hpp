#pragma once

#include <filesystem>
#include <string>

#include "core/output_lock.hpp"

namespace fercli {

class OptionSet;

/// --out of a command that writes one file, and --force.
struct OutputFileOption {
  std::string path;
  bool force = false;

  void declare(OptionSet& options, const std::string& placeholder, const std::string& help);

  /// The lock on the file. Throws as `require_free` and OutputLock.
  OutputLock take(const OptionSet& options) const;
};

/// --force alone, for commands that write several files.
void declare_force(OptionSet& options, bool* force);

/// A file that is there is replaced only when `force` says so; a device or pipe takes what it is given.
bool is_taken(const std::filesystem::path& file, bool force);

/// Throws UserError that names `option`, where the file is taken.
void require_free(const OptionSet& options, const std::string& option, const std::filesystem::path& file, bool force);

}  // namespace fercli
