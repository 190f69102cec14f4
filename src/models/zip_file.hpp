#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace fercli {

/// A zip archive for reading. Archives that would unpack to many times their size are refused: no model file does.
class ZipFile {
 public:
  /// Throws UserError when it is no zip archive, damaged, or a zip bomb.
  explicit ZipFile(const std::filesystem::path& path);

  std::vector<std::string> names() const;

  /// The content of an entry. Throws UserError when there is none, or it is damaged.
  std::string read(const std::string& name) const;

  /// The content of the entry whose path ends so.
  std::string read_ending(const std::string& ending) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<void> archive_;
};

}  // namespace fercli
