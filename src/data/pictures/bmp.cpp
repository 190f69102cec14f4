#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

enum BmpPacking : uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3 };

[[noreturn]] void refuse_bmp(const std::string& words) {
  throw PictureRefused(PictureRefused::Why::Damaged, words);
}

/// Windows bitmaps: 1 to 32 bits, with palette, masks or run lengths.
class BmpReading {
 public:
  explicit BmpReading(std::string_view bytes);
  RawPicture picture(const DecodeLimits& limits) const;

 private:
  using Colour = std::array<uint8_t, 3>;

  void check_kind() const;
  void read_palette();
  void read_masks();
  bool has_runs() const { return packing_ == kRle8 || packing_ == kRle4; }
  size_t stride() const { return (static_cast<size_t>(width_) * bits_ + 31) / 32 * 4; }
  int64_t held() const;
  void read_rows(RawPicture& picture) const;
  void read_runs(RawPicture& picture) const;
  Colour pixel(size_t row, int64_t x) const;
  void put(RawPicture& picture, int64_t x, int64_t y, const Colour& colour) const;

  FileBytes bytes_;
  size_t header_, pixels_;
  int64_t width_, height_;
  bool from_top_ = false;
  uint32_t bits_, packing_ = kPlain;
  std::array<Colour, 256> palette_{};
  std::array<uint32_t, 3> masks_{};
};

BmpReading::BmpReading(std::string_view bytes) : bytes_(bytes), header_(bytes_.little(14, 4)) {
  pixels_ = bytes_.little(10, 4);
  if (header_ == 12) {
    width_ = bytes_.little(18, 2);
    height_ = bytes_.little(20, 2);
    bits_ = bytes_.little(24, 2);
  } else {
    width_ = static_cast<int32_t>(bytes_.little(18, 4));
    const int64_t height = static_cast<int32_t>(bytes_.little(22, 4));
    from_top_ = height < 0;
    height_ = std::abs(height);
    bits_ = bytes_.little(28, 2);
    packing_ = bytes_.little(30, 4);
  }
  check_kind();
  read_palette();
  read_masks();
}

void BmpReading::check_kind() const {
  if (header_ != 12 && (header_ < 40 || header_ > 1024)) refuse_bmp("is a damaged BMP");
  const bool runs = (packing_ == kRle8 && bits_ == 8) || (packing_ == kRle4 && bits_ == 4);
  const bool masks = packing_ == kMasks && (bits_ == 16 || bits_ == 32);
  const bool plain =
      packing_ == kPlain && (bits_ == 1 || bits_ == 4 || bits_ == 8 || bits_ == 16 || bits_ == 24 || bits_ == 32);
  if (!runs && !masks && !plain) refuse_bmp("is a BMP of a kind that is not read");
}

void BmpReading::read_palette() {
  if (bits_ > 8) return;
  const size_t entry = header_ == 12 ? 3 : 4, most = size_t{1} << bits_;
  const size_t given = header_ == 12 ? 0 : bytes_.little(46, 4);
  for (size_t i = 0; i < (given == 0 ? most : std::min(given, most)); ++i) {
    const size_t place = 14 + header_ + i * entry;
    for (size_t c = 0; c < 3; ++c) palette_[i][2 - c] = static_cast<uint8_t>(bytes_.byte(place + c));
  }
}

void BmpReading::read_masks() {
  masks_ = bits_ == 16 ? std::array<uint32_t, 3>{0x7c00, 0x3e0, 0x1f} : std::array<uint32_t, 3>{0xff0000, 0xff00, 0xff};
  if (packing_ != kMasks) return;
  for (size_t c = 0; c < 3; ++c) {
    masks_[c] = bytes_.little(54 + 4 * c, 4);
    if (masks_[c] == 0) refuse_bmp("is a damaged BMP");
  }
}

/// `mask`'s part of `value`, stretched to 0 to 255.
uint8_t masked(uint32_t value, uint32_t mask) {
  const uint32_t lowest = mask & (~mask + 1);
  const uint64_t part = (value & mask) / lowest, most = mask / lowest;
  return static_cast<uint8_t>((part * 255 + most / 2) / most);
}

BmpReading::Colour BmpReading::pixel(size_t row, int64_t column) const {
  const auto x = static_cast<size_t>(column);
  if (bits_ <= 8) {
    const size_t bit = x * bits_;
    const uint32_t shift = 8 - bits_ - static_cast<uint32_t>(bit % 8);
    return palette_[bytes_.byte(row + bit / 8) >> shift & ((1u << bits_) - 1)];
  }
  if (bits_ == 24) {
    const size_t place = row + 3 * x;
    return {static_cast<uint8_t>(bytes_.byte(place + 2)), static_cast<uint8_t>(bytes_.byte(place + 1)),
            static_cast<uint8_t>(bytes_.byte(place))};
  }
  const uint32_t value = bytes_.little(row + x * bits_ / 8, bits_ / 8);
  return {masked(value, masks_[0]), masked(value, masks_[1]), masked(value, masks_[2])};
}

void BmpReading::put(RawPicture& picture, int64_t x, int64_t y, const Colour& colour) const {
  const int64_t row = from_top_ ? y : height_ - 1 - y;
  std::copy(colour.begin(), colour.end(), picture.values.begin() + (row * width_ + x) * 3);
}

/// The most pixels that the file holds.
int64_t BmpReading::held() const {
  if (has_runs()) return pixels_held(Packing::BmpRuns, bytes_.size());
  if (width_ <= 0 || pixels_ > bytes_.size()) return 0;
  return static_cast<int64_t>((bytes_.size() - pixels_) / stride()) * width_;
}

void BmpReading::read_rows(RawPicture& picture) const {
  for (int64_t y = 0; y < height_; ++y) {
    throw_if_interrupted();
    for (int64_t x = 0; x < width_; ++x) put(picture, x, y, pixel(pixels_ + static_cast<size_t>(y) * stride(), x));
  }
}

/// A count and a value; or 0 and: 0 end of line, 1 end of picture, 2 a step, otherwise that many values as they are.
void BmpReading::read_runs(RawPicture& picture) const {
  int64_t x = 0, y = 0;
  size_t place = pixels_;
  const auto add = [&](uint32_t index) { put(picture, x++, y, palette_[index]); };
  const auto value_in = [&](uint32_t byte, uint32_t i) {
    return bits_ == 8 ? byte : i % 2 == 0 ? byte >> 4 : byte & 15;
  };
  while (y < height_) {
    if (place + 2 > bytes_.size()) refuse_bmp("is a BMP cut short");
    const uint32_t count = bytes_.byte(place), value = bytes_.byte(place + 1);
    place += 2;
    if (count > 0) {
      for (uint32_t i = 0; i < count && x < width_; ++i) add(value_in(value, i));
    } else if (value == 0) {
      throw_if_interrupted();
      x = 0, ++y;
    } else if (value == 1) {
      if (y + 1 < height_) refuse_bmp("is a BMP cut short");
      return;
    } else if (value == 2) {
      x += bytes_.byte(place);
      y += bytes_.byte(place + 1);
      place += 2;
    } else {
      for (uint32_t i = 0; i < value && x < width_; ++i)
        add(value_in(bytes_.byte(place + (bits_ == 8 ? i : i / 2)), i));
      const size_t length = bits_ == 8 ? value : (value + 1) / 2;
      place += length + length % 2;
    }
  }
}

RawPicture BmpReading::picture(const DecodeLimits& limits) const {
  RawPicture picture = sized_picture("BMP", {width_, height_, 3, held()}, limits);
  if (has_runs()) {
    read_runs(picture);
  } else {
    read_rows(picture);
  }
  return picture;
}

}  // namespace

RawPicture decode_bmp(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  RawPicture picture = BmpReading(bytes).picture(limits);
  return channels == 1 ? grey_picture(picture) : picture;
}

}  // namespace fercli
