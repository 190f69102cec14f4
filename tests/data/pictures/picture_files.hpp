#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <jpeglib.h>
#include <png.h>
#include <cstdio>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

namespace fercli::test {

/// Files of pictures, as other programs write them. `grey`: uint8 (H,W).

/// `count` bytes, the lowest first.
inline std::string little_bytes(uint64_t value, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += static_cast<char>(value >> 8 * i & 255);
  return out;
}

inline std::string big_bytes(uint64_t value, size_t count) {
  const std::string little = little_bytes(value, count);
  return {little.rbegin(), little.rend()};
}

/// How a picture has to lie in the file that a viewer turns by this orientation of EXIF.
inline torch::Tensor lying(const torch::Tensor& upright, int orientation) {
  switch (orientation) {
    case 2:
      return upright.flip({1}).contiguous();
    case 3:
      return upright.rot90(2).contiguous();
    case 4:
      return upright.flip({0}).contiguous();
    case 5:
      return upright.t().contiguous();
    case 6:
      return upright.rot90(1).contiguous();
    case 7:
      return upright.rot90(2).t().contiguous();
    case 8:
      return upright.rot90(-1).contiguous();
    default:
      return upright.contiguous();
  }
}

inline std::string exif_data(int orientation) {
  return std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) + static_cast<char>(orientation) +
         std::string("\0\0\0\0\0\0", 6);
}

inline std::string by_opencv(const char* extension, const torch::Tensor& grey,
                             const std::vector<int>& parameters = {}) {
  const torch::Tensor rows = grey.contiguous();
  const cv::Mat view(static_cast<int>(rows.size(0)), static_cast<int>(rows.size(1)), CV_8UC1, rows.data_ptr<uint8_t>());
  std::vector<uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(extension, view, bytes, parameters)) << extension;
  return {bytes.begin(), bytes.end()};
}

inline std::string jpeg_file(const torch::Tensor& grey, int orientation) {
  const std::string jpeg = by_opencv(".jpg", grey, {cv::IMWRITE_JPEG_QUALITY, 100});
  const std::string exif = std::string("Exif\0\0", 6) + exif_data(orientation);
  return jpeg.substr(0, 2) + "\xff\xe1" + big_bytes(exif.size() + 2, 2) + exif + jpeg.substr(2);
}

/// In four inks; `adobe`: inverted, and with the marker that says so. `inks`: uint8 (H,W,4), 255 is all ink.
inline std::string cmyk_jpeg_file(const torch::Tensor& inks, bool adobe) {
  const torch::Tensor stored = (adobe ? 255 - inks : inks).contiguous();
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(stored.size(1));
  info.image_height = static_cast<JDIMENSION>(stored.size(0));
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  info.write_Adobe_marker = adobe ? TRUE : FALSE;
  jpeg_start_compress(&info, TRUE);
  for (int64_t y = 0; y < stored.size(0); ++y) {
    JSAMPROW row = stored.data_ptr<uint8_t>() + y * stored.size(1) * 4;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const std::string out(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

struct PngKind {
  int colours = PNG_COLOR_TYPE_GRAY, bits = 8, interlace = PNG_INTERLACE_NONE, orientation = 0;
};

/// Palettes run from white to black; opacity is a tenth.
inline std::string png_file(const torch::Tensor& grey, const PngKind& kind) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto append = [](png_structp to, png_bytep data, size_t count) {
    static_cast<std::string*>(png_get_io_ptr(to))->append(reinterpret_cast<char*>(data), count);
  };
  png_set_write_fn(png, &out, append, nullptr);
  const auto height = static_cast<png_uint_32>(grey.size(0)), width = static_cast<png_uint_32>(grey.size(1));
  png_set_IHDR(png, info, width, height, kind.bits, kind.colours, kind.interlace, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  const bool palette = kind.colours == PNG_COLOR_TYPE_PALETTE;
  std::vector<png_color> colours;
  for (int i = 255; i >= 0; --i) colours.push_back({png_byte(i), png_byte(i), png_byte(i)});
  if (palette) png_set_PLTE(png, info, colours.data(), 256);
  std::string exif = exif_data(kind.orientation);
  if (kind.orientation > 0) png_set_eXIf_1(png, info, exif.size(), reinterpret_cast<png_bytep>(exif.data()));
  const int channels = palette ? 1 : (kind.colours & PNG_COLOR_MASK_COLOR ? 3 : 1);
  std::vector<std::vector<uint8_t>> rows(height);
  std::vector<png_bytep> starts;
  for (size_t y = 0; y < height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      const auto value = grey[static_cast<int64_t>(y)][static_cast<int64_t>(x)].item<uint8_t>();
      const auto stored = static_cast<uint8_t>(palette ? 255 - value : value);
      rows[y].insert(rows[y].end(), static_cast<size_t>(channels * kind.bits / 8), stored);
      if (kind.colours & PNG_COLOR_MASK_ALPHA) rows[y].insert(rows[y].end(), static_cast<size_t>(kind.bits / 8), 25);
    }
    starts.push_back(rows[y].data());
  }
  png_write_info(png, info);
  png_write_image(png, starts.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return out;
}

/// A chunk of a PNG, with its checksum.
inline std::string png_chunk(const std::string& data) {
  uint32_t sum = ~0U;
  for (const char letter : data) {
    sum ^= static_cast<unsigned char>(letter);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320U : 0U);
  }
  return big_bytes(data.size() - 4, 4) + data + big_bytes(~sum, 4);
}

/// Says that there are two frames, and has one.
inline std::string animated_png_file(const torch::Tensor& grey) {
  std::string png = png_file(grey, {});
  const size_t behind_head = 8 + 12 + 13;
  return png.insert(behind_head, png_chunk("acTL" + big_bytes(2, 4) + big_bytes(0, 4)));
}

/// Not compressed, of 8 or 16 bits.
inline std::string tiff_file(const torch::Tensor& grey, int orientation, int bits = 8) {
  std::string pixels;
  const auto values = grey.contiguous();
  for (int64_t i = 0; i < values.numel(); ++i) {
    pixels.append(static_cast<size_t>(bits / 8), static_cast<char>(values.data_ptr<uint8_t>()[i]));
  }
  const std::vector<std::pair<int, uint64_t>> entries{{256, static_cast<uint64_t>(grey.size(1))},
                                                      {257, static_cast<uint64_t>(grey.size(0))},
                                                      {258, bits},
                                                      {259, 1},
                                                      {262, 1},
                                                      {273, 8},
                                                      {274, orientation},
                                                      {277, 1},
                                                      {278, static_cast<uint64_t>(grey.size(0))},
                                                      {279, pixels.size()}};
  std::string file = std::string("II*\0", 4) + little_bytes(8 + pixels.size(), 4) + pixels;
  file += little_bytes(entries.size(), 2);
  for (const auto& [tag, value] : entries) {
    file +=
        little_bytes(static_cast<uint64_t>(tag), 2) + little_bytes(4, 2) + little_bytes(1, 4) + little_bytes(value, 4);
  }
  return file + little_bytes(0, 4);
}

inline std::string webp_chunk(const std::string& kind, const std::string& data) {
  return kind + little_bytes(data.size(), 4) + data + std::string(data.size() % 2, '\0');
}

/// The chunks of an extended WebP, of `flags` (8: EXIF, 2: animation).
inline std::string webp_file(const torch::Tensor& grey, int flags, const std::string& chunks) {
  const std::string head = little_bytes(static_cast<uint64_t>(flags), 4) + little_bytes(grey.size(1) - 1, 3) +
                           little_bytes(grey.size(0) - 1, 3);
  const std::string body = "WEBP" + webp_chunk("VP8X", head) + chunks;
  return "RIFF" + little_bytes(body.size(), 4) + body;
}

/// The chunk of the pixels, without loss.
inline std::string webp_pixels(const torch::Tensor& grey) {
  return by_opencv(".webp", grey, {cv::IMWRITE_WEBP_QUALITY, 101}).substr(12);
}

inline std::string turned_webp_file(const torch::Tensor& grey, int orientation) {
  return webp_file(grey, 8, webp_pixels(grey) + webp_chunk("EXIF", exif_data(orientation)));
}

inline std::string animated_webp_file(const std::vector<torch::Tensor>& frames) {
  std::string chunks = webp_chunk("ANIM", std::string(6, '\0'));
  for (const auto& frame : frames) {
    const std::string head = std::string(6, '\0') + little_bytes(frame.size(1) - 1, 3) +
                             little_bytes(frame.size(0) - 1, 3) + std::string(4, '\0');
    chunks += webp_chunk("ANMF", head + webp_pixels(frame));
  }
  return webp_file(frames.front(), 2, chunks);
}

/// The codes of LZW, in blocks.
class GifPacker {
 public:
  std::string packed(const torch::Tensor& grey) {
    const torch::Tensor values = grey.contiguous();
    begin_table();
    int before = -1;
    for (int64_t i = 0; i < values.numel(); ++i) {
      const int value = values.data_ptr<uint8_t>()[i];
      const auto longer = table_.find({before, value});
      if (before < 0) {
        before = value;
      } else if (longer != table_.end()) {
        before = longer->second;
      } else {
        add(before);
        table_.emplace(std::pair{before, value}, next_++);
        if (next_ > 1 << width_) ++width_;
        if (next_ == 4096) begin_table();
        before = value;
      }
    }
    add(before);
    add(257);
    add(0);  // fills the last byte
    std::string blocks;
    for (size_t i = 0; i < bytes_.size(); i += 255) {
      const std::string block = bytes_.substr(i, 255);
      blocks += static_cast<char>(block.size()) + block;
    }
    return '\x08' + blocks + '\0';
  }

 private:
  void begin_table() {
    add(256);
    table_.clear();
    next_ = 258;
    width_ = 9;
  }

  void add(int code) {
    bits_ |= static_cast<uint64_t>(code) << held_;
    for (held_ += width_; held_ >= 8; held_ -= 8, bits_ >>= 8) bytes_ += static_cast<char>(bits_ & 255);
  }

  std::map<std::pair<int, int>, int> table_;
  int next_ = 258, width_ = 9, held_ = 0;
  uint64_t bits_ = 0;
  std::string bytes_;
};

/// With a palette from black to white, and a comment before each frame.
inline std::string gif_file(const std::vector<torch::Tensor>& frames, bool interlaced = false) {
  const auto size = little_bytes(frames[0].size(1), 2) + little_bytes(frames[0].size(0), 2);
  std::string file = "GIF89a" + size + std::string("\xf7\0\0", 3);
  for (int i = 0; i < 256; ++i) file += std::string(3, static_cast<char>(i));
  for (const auto& frame : frames) {
    torch::Tensor rows = frame;
    if (interlaced) {
      using torch::indexing::Slice;
      rows = torch::cat({frame.index({Slice(0, {}, 8)}), frame.index({Slice(4, {}, 8)}), frame.index({Slice(2, {}, 4)}),
                         frame.index({Slice(1, {}, 2)})});
    }
    file += std::string("!\xfe\x02hi\0", 6);
    file += ',' + std::string(4, '\0') + size + (interlaced ? '\x40' : '\0') + GifPacker().packed(rows);
  }
  return file + ';';
}

}  // namespace fercli::test
