#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "core/interrupt.hpp"
#include "data/pictures/decoders.hpp"

namespace fercli {

namespace {

/// Encoders write about ten, the most careful of them twenty.
constexpr int64_t kScansOfAnyPicture = 20;

enum class JpegEnd { Damaged, CutShort, TooManyScans, Stopped };

/// One decoding. libjpeg leaves an error by a jump: between the jump's ends nothing may need a destructor, so that the
/// parts with pixels and messages lie outside of `start` and `rows`.
class JpegReading {
 public:
  JpegReading(std::string_view bytes, int64_t channels);
  ~JpegReading() { jpeg_destroy_decompress(&info_); }
  JpegReading(const JpegReading&) = delete;
  JpegReading& operator=(const JpegReading&) = delete;

  bool start();                                 ///< false: see `end`
  bool rows(uint8_t* out, int64_t most_scans);  ///< height x width x channels
  JpegEnd end() const { return end_; }

  int64_t width() const { return info_.image_width; }
  int64_t height() const { return info_.image_height; }
  int64_t channels() const { return info_.out_color_components; }
  /// The most pixels that so many bytes hold.
  int64_t held(size_t bytes) const {
    return pixels_held(info_.arith_code != 0 ? Packing::Modelled : Packing::JpegHuffman, bytes);
  }
  bool is_cmyk() const { return info_.out_color_space == JCS_CMYK; }
  bool is_adobe() const { return info_.saw_Adobe_marker != 0; }
  int orientation() const { return orientation_; }

 private:
  [[noreturn]] static void leave(void* client, JpegEnd end);
  static void on_error(j_common_ptr info) { leave(info->client_data, JpegEnd::Damaged); }
  static void on_message(j_common_ptr) {}
  static void on_warning(j_common_ptr, int) {}
  static void on_start(j_decompress_ptr) {}
  static boolean on_end_of_bytes(j_decompress_ptr info) { leave(info->client_data, JpegEnd::CutShort); }
  static void on_skip(j_decompress_ptr info, long count);
  static void on_progress(j_common_ptr info);

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf escape_{};
  int orientation_of_markers() const;

  int orientation_ = 1;
  int wanted_;  ///< channels; not an argument of `start`, which a jump could lose
  int64_t most_scans_ = 0;
  JpegEnd end_ = JpegEnd::Damaged;
};

JpegReading::JpegReading(std::string_view bytes, int64_t channels) : wanted_(static_cast<int>(channels)) {
  info_.err = jpeg_std_error(&errors_);
  errors_.error_exit = on_error;
  errors_.output_message = on_message;
  errors_.emit_message = on_warning;
  progress_.progress_monitor = on_progress;
  source_.init_source = on_start;
  source_.fill_input_buffer = on_end_of_bytes;
  source_.skip_input_data = on_skip;
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.term_source = on_start;
  source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  source_.bytes_in_buffer = bytes.size();
  info_.client_data = this;
}

void JpegReading::leave(void* client, JpegEnd end) {
  auto* reading = static_cast<JpegReading*>(client);
  reading->end_ = end;
  std::longjmp(reading->escape_, 1);
}

void JpegReading::on_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<size_t>(count) > info->src->bytes_in_buffer) leave(info->client_data, JpegEnd::CutShort);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<size_t>(count);
}

void JpegReading::on_progress(j_common_ptr info) {
  const auto* reading = static_cast<const JpegReading*>(info->client_data);
  if (reading->info_.input_scan_number > reading->most_scans_) leave(info->client_data, JpegEnd::TooManyScans);
  if (must_stop()) leave(info->client_data, JpegEnd::Stopped);
}

bool JpegReading::start() {
  if (setjmp(escape_) != 0) return false;
  jpeg_create_decompress(&info_);
  info_.client_data = this;
  info_.src = &source_;
  info_.progress = &progress_;
  jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&info_, TRUE);
  const bool four = info_.num_components == 4;
  info_.out_color_space = four ? JCS_CMYK : wanted_ == 1 ? JCS_GRAYSCALE : JCS_RGB;
  info_.out_color_components = four ? 4 : wanted_;
  return true;
}

bool JpegReading::rows(uint8_t* out, int64_t most_scans) {
  most_scans_ = most_scans;
  if (setjmp(escape_) != 0) return false;
  jpeg_start_decompress(&info_);
  const size_t stride = static_cast<size_t>(info_.output_width) * static_cast<size_t>(info_.output_components);
  while (info_.output_scanline < info_.output_height) {
    JSAMPROW row = out + info_.output_scanline * stride;
    jpeg_read_scanlines(&info_, &row, 1);
  }
  orientation_ = orientation_of_markers();  // which go with the end
  jpeg_finish_decompress(&info_);
  return true;
}

int JpegReading::orientation_of_markers() const {
  for (auto marker = info_.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, 4) == "Exif") return exif_orientation(data);
  }
  return 1;
}

bool is_restart(uint32_t kind) {
  return kind >= 0xd0 && kind <= 0xd7;
}

/// Scans that the decoder will go through, from the markers alone: a refusal must not cost what it refuses.
int64_t count_scans(const FileBytes& bytes) {
  int64_t scans = 0;
  bool in_scan = false;  // coded pixels: a marker begins where FF is followed by neither 00 nor a restart
  for (size_t place = 2; place + 1 < bytes.size();) {
    const uint32_t kind = bytes.byte(place + 1);
    const bool is_marker = bytes.byte(place) == 0xff && kind != 0 && kind != 0xff;
    if (!is_marker || (in_scan && is_restart(kind))) {
      ++place;
      continue;
    }
    if (kind == 0xd9) break;
    const bool alone = is_restart(kind) || kind == 0x01;
    in_scan = kind == 0xda;
    scans += in_scan;
    place += 2 + (alone ? 0 : bytes.big(place + 2, 2));
  }
  return scans;
}

/// Scans over large pictures cost more.
int64_t most_scans_of(const DecodeLimits& limits, int64_t pixels) {
  return std::min(limits.most_scans, std::max(kScansOfAnyPicture, limits.most_scan_pixels / pixels));
}

/// Of pictures in four inks. Adobe's programs, and all that write its marker, store them inverted: 255 is no ink.
RawPicture rgb_of_cmyk(const RawPicture& cmyk, bool inverted) {
  RawPicture out{cmyk.height, cmyk.width, 3, {}, 0, false};
  out.values.reserve(cmyk.values.size() / 4 * 3);
  const int all_ink = inverted ? 0 : 255;
  for (size_t i = 0; i + 3 < cmyk.values.size(); i += 4) {
    const int black = cmyk.values[i + 3] ^ all_ink;
    for (size_t c = 0; c < 3; ++c) {
      out.values.push_back(static_cast<uint8_t>(((cmyk.values[i + c] ^ all_ink) * black + 127) / 255));
    }
  }
  return out;
}

[[noreturn]] void refuse_jpeg(JpegEnd end, int64_t most_scans = 0) {
  throw_if_interrupted();  // the reason for Stopped
  if (end == JpegEnd::TooManyScans) {
    throw PictureRefused(PictureRefused::Why::TooLarge,
                         fmt::format("is a JPEG of more than {} scans, the most for its size", most_scans));
  }
  throw PictureRefused(PictureRefused::Why::Damaged,
                       end == JpegEnd::CutShort ? "is a JPEG cut short" : "is a damaged JPEG");
}

}  // namespace

RawPicture decode_jpeg(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  JpegReading reading(bytes, channels);
  if (!reading.start()) refuse_jpeg(reading.end());
  RawPicture picture = sized_picture(
      "JPEG", {reading.width(), reading.height(), reading.channels(), reading.held(bytes.size())}, limits);
  const int64_t most_scans = most_scans_of(limits, reading.width() * reading.height());
  if (count_scans(FileBytes(bytes)) > most_scans) refuse_jpeg(JpegEnd::TooManyScans, most_scans);
  if (!reading.rows(picture.values.data(), most_scans)) refuse_jpeg(reading.end(), most_scans);
  if (reading.is_cmyk()) {
    picture = rgb_of_cmyk(picture, reading.is_adobe());
    if (channels == 1) picture = grey_picture(picture);
  }
  return upright(std::move(picture), reading.orientation());
}

}  // namespace fercli
