#include <array>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

constexpr uint32_t kGifImage = 0x2c, kGifExtension = 0x21;
constexpr size_t kGifHead = 13, kGifImageHead = 10, kMostGifCodes = 4096, kMostGifBits = 12;

[[noreturn]] void refuse_gif(const char* words) {
  throw PictureRefused(PictureRefused::Why::Damaged, words);
}

/// Numbers of 1 to 12 bits, the lowest first, from blocks of up to 255 bytes.
class GifCodes {
 public:
  GifCodes(const FileBytes& bytes, size_t place) : bytes_(bytes), place_(place) {}

  size_t next(size_t width) {
    while (held_ < width) {
      if (block_ == 0) start_block();
      bits_ |= bytes_.byte(place_++) << held_;
      held_ += 8;
      --block_;
    }
    const size_t code = bits_ & ((1U << width) - 1);
    bits_ >>= width;
    held_ -= width;
    return code;
  }

 private:
  void start_block() {
    throw_if_interrupted();
    block_ = bytes_.byte(place_++);
    if (block_ == 0 || place_ + block_ > bytes_.size()) refuse_gif("is a GIF cut short");
  }

  const FileBytes& bytes_;
  size_t place_, block_ = 0, held_ = 0;
  uint32_t bits_ = 0;
};

/// The packed pixels (LZW) at `place`, as numbers of colours; `count` of them. Every code stands for a piece of what
/// came before it.
std::vector<uint8_t> unpacked_gif(const FileBytes& bytes, size_t place, size_t count) {
  const size_t least = bytes.byte(place);
  if (least < 1 || least > 8) refuse_gif("is a damaged GIF");
  const size_t clear = size_t{1} << least, end = clear + 1;
  struct Piece {
    size_t start = 0, length = 0;
  };
  std::array<Piece, kMostGifCodes> pieces;
  std::vector<uint8_t> out;
  out.reserve(count);
  GifCodes codes(bytes, place + 1);
  size_t known = end + 1, width = least + 1;
  Piece before;
  while (out.size() < count) {
    const size_t code = codes.next(width);
    if (code == clear) {
      known = end + 1;
      width = least + 1;
      before = {};
      continue;
    }
    if (code == end) refuse_gif("is a GIF cut short");
    if (before.length > 0 && known < kMostGifCodes) pieces[known++] = {before.start, before.length + 1};
    if (code > end && code >= known) refuse_gif("is a damaged GIF");
    const Piece piece = code < clear ? Piece{out.size(), 1} : pieces[code];
    before = {out.size(), piece.length};
    if (code < clear) out.push_back(static_cast<uint8_t>(code));
    for (size_t i = 0; code > end && i < piece.length && out.size() < count; ++i) out.push_back(out[piece.start + i]);
    if (known == size_t{1} << width && width < kMostGifBits) ++width;
  }
  return out;
}

/// The place behind a list of blocks.
size_t behind_gif_blocks(const FileBytes& bytes, size_t place) {
  while (bytes.byte(place) != 0) place += 1 + bytes.byte(place);
  return place + 1;
}

size_t colours_of(uint32_t flags) {
  return (flags & 0x80) != 0 ? size_t{2} << (flags & 7) : 0;
}

/// From the order in which rows are stored to where they stand.
std::vector<int64_t> gif_rows(int64_t height, bool interlaced) {
  std::vector<int64_t> rows;
  if (!interlaced) {
    for (int64_t y = 0; y < height; ++y) rows.push_back(y);
    return rows;
  }
  constexpr std::pair<int64_t, int64_t> kPasses[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  for (const auto& [first, step] : kPasses) {
    for (int64_t y = first; y < height; y += step) rows.push_back(y);
  }
  return rows;
}

/// The place of the next image at `place` or behind it; `bytes.size()` where there is none.
size_t find_gif_image(const FileBytes& bytes, size_t place) {
  while (place < bytes.size()) {
    const uint32_t kind = bytes.byte(place);
    if (kind == kGifImage) return place;
    if (kind != kGifExtension) break;
    place = behind_gif_blocks(bytes, place + 2);
  }
  return bytes.size();
}

}  // namespace

/// The frame's own part of the canvas: first frames that leave some of it free are as good as never written.
RawPicture decode_gif(std::string_view file, int64_t channels, const DecodeLimits& limits) {
  const FileBytes bytes(file);
  size_t colours = kGifHead, count = colours_of(bytes.byte(10));
  const size_t image = find_gif_image(bytes, kGifHead + 3 * count);
  if (image + kGifImageHead > bytes.size()) refuse_gif("is a GIF cut short");
  const ClaimedSize size{bytes.little(image + 5, 2), bytes.little(image + 7, 2), 3,
                         pixels_held(Packing::Lzw, bytes.size())};
  RawPicture picture = sized_picture("GIF", size, limits);
  const uint32_t flags = bytes.byte(image + 9);
  size_t place = image + kGifImageHead;
  if (colours_of(flags) > 0) {
    colours = place;
    count = colours_of(flags);
    place += 3 * count;
  }
  const auto pixels = unpacked_gif(bytes, place, static_cast<size_t>(picture.width * picture.height));
  const uint8_t* from = pixels.data();
  for (const int64_t y : gif_rows(picture.height, (flags & 0x40) != 0)) {
    uint8_t* to = &picture.values[static_cast<size_t>(y * picture.width * 3)];
    for (int64_t x = 0; x < picture.width; ++x, ++from) {
      for (size_t c = 0; c < 3; ++c)
        *to++ = *from < count ? static_cast<uint8_t>(bytes.byte(colours + 3 * *from + c)) : 0;
    }
  }
  const size_t behind = behind_gif_blocks(bytes, place + 1);
  picture.animated = find_gif_image(bytes, behind) < bytes.size();
  return channels == 1 ? grey_picture(picture) : picture;
}

}  // namespace fercli
