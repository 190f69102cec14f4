#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fercli {

struct ZipEntry;

/// A zip archive for reading. It must be one archive, whichever program reads it: entries that follow one another
/// without gaps from the first byte on, one list of them, one end record and nothing behind it. Archives that would
/// unpack to many times their size are refused (no model file does), and those that hold two entries of one name, of
/// which readers take different ones.
class ZipFile {
 public:
  /// Throws UserError when it is no zip archive, damaged, ambiguous, or a zip bomb.
  explicit ZipFile(const std::filesystem::path& path);

  /// An archive in memory, which must outlive it; `name` is for messages.
  ZipFile(const std::string& bytes, const std::string& name);

  std::vector<std::string> names() const;
  bool has(const std::string& name) const;

  /// Bytes of an entry, unpacked. Throws UserError when there is none.
  uint64_t size(const std::string& name) const;

  /// The content of an entry. Throws UserError when there is none, or it is damaged.
  std::string read(const std::string& name) const;

  /// The same into `place`, which has room for `size(name)` bytes.
  void read_into(const std::string& name, void* place) const;

  /// The content of the entry whose path ends so.
  std::string read_ending(const std::string& ending) const;

  /// What messages call it.
  const std::string& name() const { return name_; }

 private:
  void check(const std::vector<ZipEntry>& entries, uint64_t packed_size) const;

  std::string name_;
  std::shared_ptr<void> archive_;
};

/// An archive of these entries (name, content), stored without compression.
std::string make_zip(const std::vector<std::pair<std::string, std::string>>& entries);

}  // namespace fercli
