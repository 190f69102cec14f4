#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace fercli {

/// A zip archive for reading. Archives that would unpack to many times their size are refused (no model file does), and
/// those that hold two entries of one name, of which readers take different ones.
class ZipFile {
 public:
  /// Throws UserError when it is no zip archive, damaged, or a zip bomb.
  explicit ZipFile(const std::filesystem::path& path);

  /// An archive in memory, which must outlive it; `name` is for messages.
  ZipFile(const std::string& bytes, const std::string& name);

  std::vector<std::string> names() const;
  bool has(const std::string& name) const;

  /// Bytes of an entry, unpacked. Throws UserError when there is none.
  uint64_t size(const std::string& name) const;

  /// The content of an entry. Throws UserError when there is none, or it is damaged.
  std::string read(const std::string& name) const;

  /// The content of the entry whose path ends so.
  std::string read_ending(const std::string& ending) const;

 private:
  void check(uint64_t packed_size) const;

  std::string name_;
  std::shared_ptr<void> archive_;
};

}  // namespace fercli
