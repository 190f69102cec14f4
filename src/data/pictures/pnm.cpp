#include <algorithm>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

[[noreturn]] void refuse_pnm(const std::string& words) {
  throw PictureRefused(PictureRefused::Why::Damaged, words);
}

/// Numbers in digits, with blanks and comments between.
class PnmText {
 public:
  explicit PnmText(std::string_view bytes) : bytes_(bytes) {}

  int64_t number() {
    skip_blanks();
    if (place_ >= bytes_.size()) refuse_pnm("is a PNM cut short");
    int64_t value = 0;
    const size_t first = place_;
    for (; place_ < bytes_.size() && is_digit(bytes_[place_]); ++place_) {
      value = value * 10 + (bytes_[place_] - '0');
      if (value > INT32_MAX) refuse_pnm("is a damaged PNM");
    }
    if (place_ == first) refuse_pnm("is a damaged PNM");
    return value;
  }

  /// 0 or 1, which need no blanks between them.
  int64_t bit() {
    skip_blanks();
    if (place_ >= bytes_.size()) refuse_pnm("is a PNM cut short");
    const char letter = bytes_[place_++];
    if (letter != '0' && letter != '1') refuse_pnm("is a damaged PNM");
    return letter - '0';
  }

  /// What follows the one blank after the header.
  std::string_view rest() const { return bytes_.substr(std::min(place_ + 1, bytes_.size())); }

 private:
  static bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
  static bool is_blank(char letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

  void skip_blanks() {
    for (; place_ < bytes_.size() && (is_blank(bytes_[place_]) || bytes_[place_] == '#'); ++place_) {
      if (bytes_[place_] == '#') place_ = std::min(bytes_.find_first_of("\r\n", place_), bytes_.size() - 1);
    }
  }

  std::string_view bytes_;
  size_t place_ = 2;
};

}  // namespace

/// P1 to P3 in digits, P4 to P6 in bytes: one bit, grey, colour.
RawPicture decode_pnm(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  const int kind = bytes[1] - '0';
  const bool in_digits = kind <= 3, in_bits = kind % 3 == 1;
  PnmText text(bytes);
  const int64_t width = text.number(), height = text.number(), most = in_bits ? 1 : text.number();
  if (most < 1 || most > 65535) refuse_pnm("is a damaged PNM");
  const int64_t stored_channels = kind % 3 == 0 ? 3 : 1, row_values = width * stored_channels;
  const int64_t value_bytes = most > 255 ? 2 : 1, stride = in_bits ? (width + 7) / 8 : row_values * value_bytes;
  const FileBytes data(text.rest());
  const auto size = static_cast<int64_t>(data.size());
  const int64_t held = !in_digits ? size / std::max<int64_t>(stride, 1) * width
                       : in_bits  ? size
                                  : (size + 1) / 2 / stored_channels;  // a digit and a blank
  RawPicture picture = sized_picture("PNM", {width, height, stored_channels, held}, limits);
  const auto value_at = [&](int64_t y, int64_t i) -> int64_t {
    if (in_digits) return in_bits ? 1 - text.bit() : text.number();
    const auto row = static_cast<size_t>(y * stride), place = static_cast<size_t>(i);
    if (in_bits) return ~(data.byte(row + place / 8) >> (7 - place % 8)) & 1;
    return data.big(row + place * static_cast<size_t>(value_bytes), static_cast<size_t>(value_bytes));
  };
  uint8_t* to = picture.values.data();
  for (int64_t y = 0; y < height; ++y) {
    throw_if_interrupted();
    for (int64_t i = 0; i < row_values; ++i) {
      *to++ = static_cast<uint8_t>((std::min(value_at(y, i), most) * 255 + most / 2) / most);
    }
  }
  if (picture.channels == channels) return picture;
  if (channels == 1) return grey_picture(picture);
  RawPicture colour{height, width, 3, {}, 0};
  colour.values.reserve(picture.values.size() * 3);
  for (const uint8_t value : picture.values) colour.values.insert(colour.values.end(), 3, value);
  return colour;
}

}  // namespace fercli
