#include "core/digest.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <fstream>

#include "core/error.hpp"
#include "core/files.hpp"

namespace fercli {

struct Digest::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(md); }
};

Digest::Digest() : context_(std::make_unique<Context>()) {
  if (context_->md == nullptr || EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) != 1) {
    throw RunError("the SHA-256 of libcrypto cannot be started");
  }
}

Digest::~Digest() = default;

Digest& Digest::add(const void* data, size_t bytes) {
  if (EVP_DigestUpdate(context_->md, data, bytes) != 1) throw RunError("the SHA-256 of libcrypto failed");
  return *this;
}

std::string Digest::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context_->md, bytes.data(), &length) != 1) throw RunError("the SHA-256 of libcrypto failed");
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  return Digest().add(bytes).hex();
}

std::string file_sha256_hex(const std::filesystem::path& path) {
  require_file(path);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(fmt::format("{}: cannot be read", path.string()));
  Digest digest;
  std::array<char, 1 << 16> buffer;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) digest.add(buffer.data(), file.gcount());
  if (file.bad()) throw UserError(fmt::format("{}: cannot be read to its end", path.string()));
  return digest.hex();
}

void require_unchanged(const std::filesystem::path& path, const std::string& digest) {
  if (file_sha256_hex(path) == digest) return;
  throw UserError(fmt::format("{}: was changed while it was read; give the command again", path.string()));
}

}  // namespace fercli
