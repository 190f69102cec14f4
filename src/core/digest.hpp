#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace fercli {

/// SHA-256, fed piece by piece.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest& add(const void* data, size_t bytes);
  Digest& add(std::string_view text) { return add(text.data(), text.size()); }
  std::string hex();  ///< 64 lower-case hexadecimal digits; ends the digest

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::string_view bytes);

/// Throws UserError when the file cannot be read.
std::string file_sha256_hex(const std::filesystem::path& path);

/// Throws UserError unless the file still has this digest: for one that was read in between, so that the digest is that
/// of what was read.
void require_unchanged(const std::filesystem::path& path, const std::string& digest);

}  // namespace fercli
