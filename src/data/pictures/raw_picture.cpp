#include <fmt/format.h>

#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

constexpr std::string_view kExifName("Exif\0\0", 6);
constexpr uint32_t kOrientationTag = 0x0112;
constexpr size_t kExifEntryBytes = 12;

/// Red, green and blue in ITU-R 601, in parts of 2^14.
constexpr int kRedShare = 4899, kGreenShare = 9617, kBlueShare = 1868, kShareBits = 14;

std::string pixel_count(int64_t pixels) {
  return pixels >= 1'000'000 ? fmt::format("{:g} million", static_cast<double>(pixels) / 1e6)
                             : fmt::format("{}", pixels);
}

}  // namespace

int64_t pixels_held(Packing packing, size_t bytes, int64_t bits) {
  return static_cast<int64_t>(bytes) * static_cast<int64_t>(packing) * 8 / bits;
}

RawPicture sized_picture(const std::string& format, const ClaimedSize& size, const DecodeLimits& limits) {
  const auto [width, height, channels, held] = size;
  if (width <= 0 || height <= 0) {
    throw PictureRefused(PictureRefused::Why::Damaged, fmt::format("is a damaged {}: it has no pixels", format));
  }
  if (width > limits.most_side || height > limits.most_side) {
    throw PictureRefused(PictureRefused::Why::TooLarge, fmt::format("has {}x{} pixels; {} in a row or column are read",
                                                                    width, height, limits.most_side));
  }
  if (width > limits.most_pixels / height) {
    throw PictureRefused(PictureRefused::Why::TooLarge,
                         fmt::format("has {}x{} pixels, more than {}", width, height, pixel_count(limits.most_pixels)));
  }
  if (width * height > held) {
    throw PictureRefused(PictureRefused::Why::Damaged, fmt::format("is a {} cut short", format));
  }
  return {height, width, channels, std::vector<uint8_t>(static_cast<size_t>(height * width * channels)), 0, false};
}

int exif_orientation(std::string_view exif) {
  if (exif.substr(0, kExifName.size()) == kExifName) exif.remove_prefix(kExifName.size());
  const FileBytes bytes(exif);
  const bool little = bytes.big(0, 2) == 0x4949;
  if (!little && bytes.big(0, 2) != 0x4d4d) return 1;
  const auto number = [&](size_t place, size_t count) {
    return little ? bytes.little(place, count) : bytes.big(place, count);
  };
  const size_t table = number(4, 4), entries = number(table, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = table + 2 + i * kExifEntryBytes;
    if (entry + kExifEntryBytes > bytes.size()) return 1;
    if (number(entry, 2) != kOrientationTag) continue;
    const uint32_t value = number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

RawPicture upright(RawPicture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  RawPicture out{transposed ? picture.width : picture.height,
                 transposed ? picture.height : picture.width,
                 picture.channels,
                 std::vector<uint8_t>(picture.values.size()),
                 picture.greatest_deep,
                 picture.animated};
  uint8_t* to = out.values.data();
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      const int64_t row = transposed ? x : y, column = transposed ? y : x;
      const int64_t from_row = from_below ? picture.height - 1 - row : row;
      const int64_t from_column = from_right ? picture.width - 1 - column : column;
      const uint8_t* from =
          &picture.values[static_cast<size_t>((from_row * picture.width + from_column) * out.channels)];
      for (int64_t c = 0; c < out.channels; ++c) *to++ = from[c];
    }
  }
  return out;
}

RawPicture grey_picture(const RawPicture& picture) {
  RawPicture out{picture.height, picture.width, 1, {}, picture.greatest_deep, picture.animated};
  out.values.resize(static_cast<size_t>(picture.height * picture.width));
  const uint8_t* from = picture.values.data();
  for (auto& grey : out.values) {
    const int sum = from[0] * kRedShare + from[1] * kGreenShare + from[2] * kBlueShare;
    grey = static_cast<uint8_t>((sum + (1 << (kShareBits - 1))) >> kShareBits);
    from += picture.channels;
  }
  return out;
}

}  // namespace fercli
