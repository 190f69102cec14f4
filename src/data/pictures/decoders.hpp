#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace fercli {

/// What a picture of unknown origin may cost. The numbers are those that the decoder itself works with: what a header
/// promises elsewhere in the file does not count.
struct DecodeLimits {
  int64_t most_pixels = 128'000'000;
  int64_t most_side = 65'535;
  /// Of a JPEG: each scan goes over the whole picture once more. Twenty are allowed in any size.
  int64_t most_scans = 100, most_scan_pixels = 400'000'000;
};

/// Pixel rows from the top, the right way up; a pixel is grey, or red, green, blue.
struct RawPicture {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> values;  ///< height x width x channels
  int greatest_deep = 0;        ///< of the file's 16-bit values, which are shown by their upper halves; 0: it has none
  bool animated = false;        ///< the file has more pictures, which are shown after this one
};

/// A picture that is not decoded, and the words that follow its name.
class PictureRefused : public UserError {
 public:
  enum class Why {
    Damaged,     ///< broken, cut short, or of a kind that its format has but this program does not read
    TooLarge,    ///< beyond the limits
    OtherFormat  ///< no format that is read
  };

  PictureRefused(Why why, std::string words, const std::string& name = "the picture")
      : UserError(name + ": " + words), why_(why), words_(std::move(words)) {}

  Why why() const { return why_; }
  const std::string& words() const { return words_; }

 private:
  Why why_;
  std::string words_;
};

/// Each decodes one format to `channels` 1 (grey, ITU-R 601) or 3 (red, green, blue); opacity is ignored, and of an
/// animation the first frame is read. Throws PictureRefused, and what `throw_if_interrupted` throws. Nothing of the
/// pixels is allocated or decoded before the picture's size has been held against the limits.
RawPicture decode_jpeg(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_png(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_webp(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_tiff(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_bmp(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_pnm(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
RawPicture decode_gif(std::string_view bytes, int64_t channels, const DecodeLimits& limits);

/// Ways to pack pixels. The number: how many bytes one byte stands for at most, whoever packed them; of JPEG, WEBP and
/// a BMP's runs, how many pixels.
enum class Packing : int64_t {
  None = 1,
  PackBits = 64,      ///< 128 bytes in two
  BmpRuns = 128,      ///< 255 pixels in two bytes; pixels that are skipped are not counted
  JpegHuffman = 512,  ///< a block of 8x8 pixels in a bit
  Deflate = 1032,     ///< 258 bytes in two bits
  Lzw = 2731,         ///< 4096 bytes in twelve bits
  /// Next to nothing is needed where all pixels are equal: libwebp packs 4000x4000 into 38 bytes, a fax a row into a
  /// bit. What claims more than this shows nothing.
  Modelled = 1 << 19
};

/// The most pixels of so many bits that a file of so many bytes can hold. One that claims more is cut short.
int64_t pixels_held(Packing packing, size_t bytes, int64_t bits = 8);

/// What a header says, and the most pixels that the file can hold.
struct ClaimedSize {
  int64_t width = 0, height = 0, channels = 0, held = 0;
};

/// For the decoders: black, of this size. Throws PictureRefused where `format` has no pixels, more than allowed, or
/// more than the file can hold.
RawPicture sized_picture(const std::string& format, const ClaimedSize& size, const DecodeLimits& limits);

/// 1 to 8 from a block of EXIF data, as it begins with its byte order or with "Exif\0\0"; 1 (upright) where it says
/// nothing sensible.
int exif_orientation(std::string_view exif);

/// Turned and mirrored to stand upright, as EXIF and TIFF number the ways in which a picture can lie.
RawPicture upright(RawPicture picture, int orientation);

/// Three or four channels -> one: by ITU-R 601 in whole numbers, the fourth ignored.
RawPicture grey_picture(const RawPicture& picture);

/// Whole numbers in a file; those beyond its end are 0.
class FileBytes {
 public:
  explicit FileBytes(std::string_view bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size(); }
  uint32_t byte(size_t place) const { return place < bytes_.size() ? static_cast<unsigned char>(bytes_[place]) : 0; }
  uint32_t little(size_t place, size_t count) const {
    uint32_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | byte(place + i);
    return value;
  }
  uint32_t big(size_t place, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i) value = value << 8 | byte(place + i);
    return value;
  }

 private:
  std::string_view bytes_;
};

}  // namespace fercli
