#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fercli {

/// The beginning of a file, by which its format is known; names lie.
struct FileProbe {
  std::filesystem::path path;
  std::string head;                  ///< the first 4096 bytes
  std::vector<std::string> entries;  ///< of a zip file

  bool starts_with(std::string_view magic) const;
  bool has_entry(std::string_view ending) const;  ///< a zip entry whose path ends so
};

/// Throws UserError: no such file, an empty one, a damaged zip.
FileProbe probe_file(const std::filesystem::path& path);

}  // namespace fercli
