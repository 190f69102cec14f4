#include "core/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

namespace fercli {

namespace {

bool is_ignored(char letter) {
  return letter == '\r' || letter == '\n';
}

/// The alphabet of URLs made the usual one; what OpenSSL would skip or take for a zero is no letter.
char usual_letter(char letter) {
  if (letter == '-') return '+';
  if (letter == '_') return '/';
  const bool plain =
      ('A' <= letter && letter <= 'Z') || ('a' <= letter && letter <= 'z') || ('0' <= letter && letter <= '9');
  if (!plain && letter != '+' && letter != '/') throw std::invalid_argument("not valid base64");
  return letter;
}

}  // namespace

std::string decode_base64(std::string_view text) {
  std::string letters(text);
  letters.erase(std::remove_if(letters.begin(), letters.end(), is_ignored), letters.end());
  letters.erase(letters.find_last_not_of('=') + 1);  // all of it where there is nothing else
  std::transform(letters.begin(), letters.end(), letters.begin(), usual_letter);
  const size_t missing = (4 - letters.size() % 4) % 4;
  if (missing == 3) throw std::invalid_argument("not valid base64");
  letters.append(missing, 'A');
  std::string bytes(letters.size() / 4 * 3, '\0');
  EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                  reinterpret_cast<const unsigned char*>(letters.data()), static_cast<int>(letters.size()));
  bytes.resize(bytes.size() - missing);
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a zero
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  text.resize(static_cast<size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), data, static_cast<int>(bytes.size()))));
  return text;
}

}  // namespace fercli
