#include <algorithm>
#include <csetjmp>

#include <png.h>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

constexpr uint32_t kPngFrames = 0x6163544c, kPngPixels = 0x49444154;  // acTL, IDAT

/// Bytes of packed pixels that may be left over behind the last row.
constexpr size_t kMostPngRest = 1 << 12;

enum class PngEnd { Damaged, CutShort, Stopped };

/// One decoding; of jumps the same holds as for JpegReading. Chunks other than the pixels' own and EXIF are passed
/// over unread: texts and colour profiles are packed, and unpack to any size.
class PngReading {
 public:
  PngReading(std::string_view bytes, int64_t channels) : left_(bytes), channels_(channels) {}
  ~PngReading() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReading(const PngReading&) = delete;
  PngReading& operator=(const PngReading&) = delete;

  bool start();             ///< false: see `end`
  bool rows(uint8_t* out);  ///< height x width x channels, in 16 bits the upper half first
  PngEnd end() const { return end_; }

  int64_t width() const { return png_get_image_width(png_, info_); }
  bool is_deep() const { return png_get_bit_depth(png_, info_) == 16; }
  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t pixel_bits() const { return png_get_bit_depth(png_, info_) * png_get_channels(png_, info_); }
  int orientation();

 private:
  [[noreturn]] void leave(PngEnd end);
  void convert();
  static PngReading& of(png_structp png) { return *static_cast<PngReading*>(png_get_io_ptr(png)); }
  static void on_error(png_structp png, png_const_charp) {
    static_cast<PngReading*>(png_get_error_ptr(png))->leave(PngEnd::Damaged);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, size_t count);

  std::string_view left_;
  size_t pixel_bytes_left_ = SIZE_MAX;  ///< that libpng may still take
  int64_t channels_;                    ///< not an argument of `rows`, which a jump could lose
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf escape_{};
  PngEnd end_ = PngEnd::Damaged;
};

void PngReading::leave(PngEnd end) {
  end_ = end;
  std::longjmp(escape_, 1);
}

void PngReading::on_read(png_structp png, png_bytep out, size_t count) {
  PngReading& reading = of(png);
  if (must_stop()) reading.leave(PngEnd::Stopped);
  if (png_get_io_chunk_type(png) == kPngPixels) {
    if (count > reading.pixel_bytes_left_) reading.leave(PngEnd::Damaged);
    reading.pixel_bytes_left_ -= count;
  }
  if (count > reading.left_.size()) reading.leave(PngEnd::CutShort);
  std::copy_n(reading.left_.data(), count, reinterpret_cast<char*>(out));
  reading.left_.remove_prefix(count);
}

bool PngReading::start() {
  if (setjmp(escape_) != 0) return false;
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
  info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
  if (info_ == nullptr) return false;
  png_set_read_fn(png_, this, on_read);
  png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // ours come with a sentence
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT, reinterpret_cast<png_const_bytep>("eXIf"), 1);
  png_read_info(png_, info_);
  return true;
}

/// 8 or 16 bits, no opacity, one or three channels.
void PngReading::convert() {
  png_set_strip_alpha(png_);
  png_set_palette_to_rgb(png_);
  if ((png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) == 0) png_set_expand_gray_1_2_4_to_8(png_);
  if (channels_ == 1) {
    png_set_rgb_to_gray(png_, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
  } else {
    png_set_gray_to_rgb(png_);
  }
}

bool PngReading::rows(uint8_t* out) {
  if (setjmp(escape_) != 0) return false;
  const auto stored_row = static_cast<size_t>(width() * pixel_bits() / 8);
  convert();
  const int passes = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  const size_t stride = static_cast<size_t>(width() * channels_ * (is_deep() ? 2 : 1));
  if (png_get_rowbytes(png_, info_) != stride) return false;
  for (int pass = 0; pass < passes; ++pass) {
    for (int64_t y = 0; y < height(); ++y) {
      if (must_stop()) leave(PngEnd::Stopped);
      // Behind the last row libpng unpacks to the end, which may be far away.
      if (pass == passes - 1 && y == height() - 1) pixel_bytes_left_ = 2 * stored_row + kMostPngRest;
      png_read_row(png_, out + static_cast<size_t>(y) * stride, nullptr);
    }
  }
  png_read_end(png_, info_);
  return true;
}

int PngReading::orientation() {
  png_uint_32 count = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png_, info_, &count, &exif) == 0) return 1;
  return exif_orientation({reinterpret_cast<const char*>(exif), count});
}

[[noreturn]] void refuse_png(PngEnd end) {
  throw_if_interrupted();  // the reason for Stopped
  throw PictureRefused(PictureRefused::Why::Damaged,
                       end == PngEnd::CutShort ? "is a PNG cut short" : "is a damaged PNG");
}

/// Whether there are frames besides the picture that every reader shows (APNG).
bool is_animated_png(const FileBytes& bytes) {
  for (size_t place = 8; place + 8 <= bytes.size(); place += 12 + bytes.big(place, 4)) {
    const uint32_t kind = bytes.big(place + 4, 4);
    if (kind == kPngFrames) return bytes.big(place + 8, 4) > 1;
    if (kind == kPngPixels) break;
  }
  return false;
}

/// The upper halves of 16-bit values, into `picture`; and the greatest value.
void take_upper_halves(const std::vector<uint8_t>& deep, RawPicture& picture) {
  for (size_t i = 0; i < picture.values.size(); ++i) {
    picture.values[i] = deep[2 * i];
    picture.greatest_deep = std::max(picture.greatest_deep, deep[2 * i] << 8 | deep[2 * i + 1]);
  }
}

}  // namespace

RawPicture decode_png(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  PngReading reading(bytes, channels);
  if (!reading.start()) refuse_png(reading.end());
  const int64_t held = pixels_held(Packing::Deflate, bytes.size(), reading.pixel_bits());
  RawPicture picture = sized_picture("PNG", {reading.width(), reading.height(), channels, held}, limits);
  std::vector<uint8_t> deep(reading.is_deep() ? 2 * picture.values.size() : 0);
  if (!reading.rows(deep.empty() ? picture.values.data() : deep.data())) refuse_png(reading.end());
  if (!deep.empty()) take_upper_halves(deep, picture);
  picture.animated = is_animated_png(FileBytes(bytes));
  return upright(std::move(picture), reading.orientation());
}

}  // namespace fercli
