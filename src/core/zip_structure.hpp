#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace fercli {

struct ZipEntry {
  std::string name;
  uint64_t packed = 0, size = 0;  ///< bytes in the archive, and unpacked
  uint64_t offset = 0;            ///< of its local header
};

/// The entries of a zip archive, by its central directory. Programs search for the end record in different ways, so
/// that one file can be several archives: this one throws std::runtime_error with the reason unless the file is one
/// archive for all of them. `bytes` gives a part of the file, which has `size` bytes.
std::vector<ZipEntry> zip_entries(const std::function<std::string(uint64_t begin, uint64_t count)>& bytes,
                                  uint64_t size);

}  // namespace fercli
