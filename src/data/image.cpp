#include "data/image.hpp"

#include <fmt/format.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

/// uint8 (C,H,W) RGB or grey -> OpenCV's interleaved BGR or grey.
cv::Mat to_mat(const torch::Tensor& image) {
  const torch::Tensor interleaved = image.permute({1, 2, 0}).contiguous();
  const int height = static_cast<int>(image.size(1)), width = static_cast<int>(image.size(2));
  const cv::Mat view(height, width, CV_8UC(static_cast<int>(image.size(0))), interleaved.data_ptr<uint8_t>());
  cv::Mat mat;
  if (image.size(0) == 3) {
    cv::cvtColor(view, mat, cv::COLOR_RGB2BGR);
  } else {
    view.copyTo(mat);
  }
  return mat;
}

torch::Tensor to_tensor(const cv::Mat& mat) {
  const int channels = mat.channels();
  torch::Tensor image = torch::empty({channels, mat.rows, mat.cols}, torch::kUInt8);
  auto* out = image.data_ptr<uint8_t>();
  const int64_t plane = static_cast<int64_t>(mat.rows) * mat.cols;
  for (int y = 0; y < mat.rows; ++y) {
    const auto* row = mat.ptr<uint8_t>(y);
    for (int x = 0; x < mat.cols; ++x) {
      // OpenCV's channels run blue to red, ours red to blue.
      for (int c = 0; c < channels; ++c) out[(channels - 1 - c) * plane + y * mat.cols + x] = row[x * channels + c];
    }
  }
  return image;
}

/// How a format begins, and how it is decoded.
struct PictureFormat {
  const char* name;
  std::string_view start;
  size_t place;  ///< of `start`
  RawPicture (*decode)(std::string_view bytes, int64_t channels, const DecodeLimits& limits);
  const char* way_out = nullptr;  ///< of a format without a decoder, where there is a better one than the general
};

constexpr const char* kFromHeif =
    "convert it with `heif-convert FILE FILE.jpg` (Debian: libheif-examples), or have the phone take JPEG (iPhone: "
    "Settings, Camera, Formats, Most Compatible)";

/// Formats without a decoder are refused by name: few pictures of faces come in them, and their decoders have no
/// limits.
const PictureFormat* picture_format(std::string_view bytes) {
  using namespace std::string_view_literals;
  static const PictureFormat formats[] = {{"PNG", "\x89PNG\r\n\x1a\n"sv, 0, decode_png},
                                          {"JPEG", "\xff\xd8\xff"sv, 0, decode_jpeg},
                                          {"WEBP", "WEBP"sv, 8, decode_webp},
                                          {"BMP", "BM"sv, 0, decode_bmp},
                                          {"TIFF", "II*\0"sv, 0, decode_tiff},
                                          {"TIFF", "MM\0*"sv, 0, decode_tiff},
                                          {"TIFF", "II+\0"sv, 0, decode_tiff},
                                          {"TIFF", "MM\0+"sv, 0, decode_tiff},
                                          {"PNM", "P1"sv, 0, decode_pnm},
                                          {"PNM", "P2"sv, 0, decode_pnm},
                                          {"PNM", "P3"sv, 0, decode_pnm},
                                          {"PNM", "P4"sv, 0, decode_pnm},
                                          {"PNM", "P5"sv, 0, decode_pnm},
                                          {"PNM", "P6"sv, 0, decode_pnm},
                                          {"PAM", "P7"sv, 0, nullptr},
                                          {"PFM", "PF"sv, 0, nullptr},
                                          {"PFM", "Pf"sv, 0, nullptr},
                                          {"GIF", "GIF8"sv, 0, decode_gif},
                                          {"AVIF", "ftypavif"sv, 4, nullptr, kFromHeif},
                                          {"AVIF", "ftypavis"sv, 4, nullptr, kFromHeif},
                                          {"HEIF (HEIC), as phones write it", "ftyphei"sv, 4, nullptr, kFromHeif},
                                          {"HEIF (HEIC), as phones write it", "ftyphev"sv, 4, nullptr, kFromHeif},
                                          {"HEIF (HEIC), as phones write it", "ftypmif1"sv, 4, nullptr, kFromHeif},
                                          {"HEIF (HEIC), as phones write it", "ftypmsf1"sv, 4, nullptr, kFromHeif},
                                          {"JPEG 2000", "\0\0\0\x0cjP"sv, 0, nullptr},
                                          {"JPEG 2000", "\xff\x4f\xff\x51"sv, 0, nullptr},
                                          {"JPEG XL", "\xff\x0a"sv, 0, nullptr},
                                          {"JPEG XL", "\0\0\0\x0cJXL"sv, 0, nullptr},
                                          {"OpenEXR picture", "\x76\x2f\x31\x01"sv, 0, nullptr},
                                          {"Radiance picture", "#?R"sv, 0, nullptr},
                                          {"Sun raster", "\x59\xa6\x6a\x95"sv, 0, nullptr},
                                          {"Photoshop picture", "8BPS"sv, 0, nullptr},
                                          {"Windows icon", "\0\0\1\0"sv, 0, nullptr},
                                          {"DICOM picture", "DICM"sv, 128, nullptr},
                                          {"PDF", "%PDF"sv, 0, nullptr},
                                          {"SVG", "<svg"sv, 0, nullptr}};
  for (const auto& format : formats) {
    const bool fits = bytes.size() >= format.place + format.start.size();
    if (fits && bytes.compare(format.place, format.start.size(), format.start) == 0) return &format;
  }
  return nullptr;
}

RawPicture decode_picture(std::string_view bytes, int64_t channels, const DecodeLimits& limits) {
  using Why = PictureRefused::Why;
  if (bytes.empty()) throw PictureRefused(Why::Damaged, "is empty, not an image");
  const PictureFormat* format = picture_format(bytes);
  if (format == nullptr) throw PictureRefused(Why::OtherFormat, "is not a readable image");
  if (format->decode == nullptr) {
    const char* way_out = "save it as PNG or JPEG (WEBP, GIF, BMP, TIFF and PNM are read too)";
    throw PictureRefused(Why::OtherFormat, fmt::format("is {}, which is not read; {}", format->name,
                                                       format->way_out != nullptr ? format->way_out : way_out));
  }
  return format->decode(bytes, channels, limits);
}

/// 16-bit pixels are shown by their upper 8 bits. Files of 16 bits that hold 8-bit numbers are then all black.
void warn_of_lost_depth(const RawPicture& picture, const std::string& name) {
  if (picture.greatest_deep < 1 || picture.greatest_deep > 255) return;
  warn_once("16-bit",
            fmt::format("{}: has 16-bit pixels, but none above {} of 65535, so that it is read as black; if they are "
                        "meant to be of 255, save it with 8 bits (this message comes once: other files may be alike)",
                        name, picture.greatest_deep));
}

void warn_of_animation(const RawPicture& picture, const std::string& name) {
  if (!picture.animated) return;
  warn_once("animation", fmt::format("{}: is an animation; its first frame is read, the others are not (this message "
                                     "comes once: other files may be alike)",
                                     name));
}

cv::Mat resized(const cv::Mat& mat, int height, int width) {
  const bool shrinks = height <= mat.rows && width <= mat.cols;
  cv::Mat out;
  cv::resize(mat, out, cv::Size(width, height), 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_CUBIC);
  return out;
}

}  // namespace

torch::Tensor read_image(const std::filesystem::path& path, int64_t channels) {
  return decode_image(read_file(path), channels, path.string());
}

torch::Tensor decode_image(std::string_view bytes, int64_t channels, const std::string& name,
                           const DecodeLimits& limits) {
  try {
    RawPicture picture = decode_picture(bytes, channels, limits);
    warn_of_lost_depth(picture, name);
    warn_of_animation(picture, name);
    const auto rows = torch::from_blob(picture.values.data(), {picture.height, picture.width, channels}, torch::kUInt8);
    return rows.permute({2, 0, 1}).clone(torch::MemoryFormat::Contiguous);
  } catch (const PictureRefused& error) {
    throw PictureRefused(error.why(), error.words(), name);
  }
}

bool has_image_extension(const std::filesystem::path& path) {
  static const std::set<std::string> known{".png", ".jpg", ".jpeg", ".webp", ".bmp",  ".tif",  ".tiff",
                                           ".pgm", ".ppm", ".pnm",  ".gif",  ".heic", ".heif", ".jp2"};
  return known.count(to_lower(path.extension().string())) > 0;
}

std::string image_format(std::string_view bytes) {
  const PictureFormat* format = picture_format(bytes);
  return format != nullptr ? format->name : "";
}

torch::Tensor resize_image(const torch::Tensor& image, int64_t height, int64_t width) {
  if (image.size(1) == height && image.size(2) == width) return image;
  return to_tensor(resized(to_mat(image), static_cast<int>(height), static_cast<int>(width)));
}

torch::Tensor convert_channels(const torch::Tensor& image, int64_t channels) {
  if (image.size(0) == channels) return image;
  if (channels == 3) return image.repeat({3, 1, 1});
  cv::Mat grey;
  cv::cvtColor(to_mat(image), grey, cv::COLOR_BGR2GRAY);
  return to_tensor(grey);
}

torch::Tensor enlarge_image(const torch::Tensor& image, int64_t factor) {
  return image.repeat_interleave(factor, 1).repeat_interleave(factor, 2);
}

namespace {

std::string encode(const torch::Tensor& image, const char* format, const std::vector<int>& parameters) {
  std::vector<uint8_t> bytes;
  if (!cv::imencode(fmt::format(".{}", format), to_mat(image), bytes, parameters))
    throw RunError(fmt::format("an image cannot be encoded as {}", format));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string encode_png(const torch::Tensor& image) {
  return encode(image, "png", {});
}

std::string encode_jpeg(const torch::Tensor& image, int64_t quality) {
  return encode(image, "jpg", {cv::IMWRITE_JPEG_QUALITY, static_cast<int>(quality)});
}

void write_png(const torch::Tensor& image, const std::filesystem::path& path) {
  write_file(path, encode_png(image));
}

}  // namespace fercli
