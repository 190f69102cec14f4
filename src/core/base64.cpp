#include "core/base64.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <stdexcept>

namespace fercli {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::array<int, 256> base64_values() {
  std::array<int, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
  values['-'] = 62;  // the alphabet of URLs
  values['_'] = 63;
  return values;
}

}  // namespace

std::string decode_base64(std::string_view text) {
  static const std::array<int, 256> values = base64_values();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int count = 0;
  bool ended = false;
  for (const char letter : text) {
    if (letter == '\r' || letter == '\n') continue;
    if (letter == '=') {
      ended = true;
      continue;
    }
    const int value = values[static_cast<unsigned char>(letter)];
    if (value < 0 || ended) throw std::invalid_argument("not valid base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    if (++count < 4) continue;
    for (const int shift : {16, 8, 0}) bytes += static_cast<char>(bits >> shift & 0xff);
    bits = 0;
    count = 0;
  }
  if (count == 1) throw std::invalid_argument("not valid base64");
  if (count >= 2) bytes += static_cast<char>((bits << (count == 2 ? 12 : 6)) >> 16 & 0xff);
  if (count == 3) bytes += static_cast<char>((bits << 6) >> 8 & 0xff);
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
