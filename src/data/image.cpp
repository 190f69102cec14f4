#include "data/image.hpp"

#include <fmt/format.h>

#include <cstring>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/progress.hpp"

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

/// The format of an image that was cut off, or "": a JPEG would decode without complaint, its lower part grey, and
/// libpng would write to stderr. A JPEG's end marker must follow its last scan, a PNG's closing chunk must be there.
std::string cut_short(const std::string& bytes) {
  if (bytes.compare(0, 2, "\xff\xd8") == 0) {
    const size_t scan = bytes.rfind("\xff\xda");
    const bool ends = bytes.find("\xff\xd9", scan == std::string::npos ? 0 : scan) != std::string::npos;
    return ends ? "" : "JPEG";
  }
  const bool is_png = bytes.compare(0, 4, "\x89PNG") == 0;
  return is_png && bytes.rfind("IEND") == std::string::npos ? "PNG" : "";
}

bool has_deep_pixels(const std::string& bytes) {
  constexpr size_t kDepth = 24;  // of a PNG's first chunk
  if (bytes.compare(0, 4, "\x89PNG") == 0) return bytes.size() > kDepth && bytes[kDepth] == 16;
  return bytes.compare(0, 4, std::string("II*\0", 4)) == 0 || bytes.compare(0, 4, std::string("MM\0*", 4)) == 0;
}

/// 16-bit pixels are shown by their upper 8 bits. Files of 16 bits that hold 8-bit numbers are then all black.
void warn_of_lost_depth(const std::string& bytes, const cv::Mat& view, const std::string& name) {
  if (!has_deep_pixels(bytes)) return;
  const cv::Mat deep = cv::imdecode(view, cv::IMREAD_UNCHANGED);
  if (deep.depth() != CV_16U) return;
  double most = 0;
  cv::minMaxLoc(deep.reshape(1), nullptr, &most);
  if (most < 1 || most > 255) return;
  warn_once(
      "16-bit",
      fmt::format("{}: has 16-bit pixels, but none above {:.0f} of 65535, so that it is read as black; if they are "
                  "meant to be of 255, save it with 8 bits (said once: other files may be alike)",
                  name, most));
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

torch::Tensor decode_image(const std::string& bytes, int64_t channels, const std::string& name) {
  if (bytes.empty()) throw UserError(fmt::format("{}: is empty, not an image", name));
  if (const std::string format = cut_short(bytes); !format.empty()) {
    throw UserError(fmt::format("{}: is a {} cut short", name, format));
  }
  const cv::Mat view(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  cv::Mat mat;
  try {
    mat = cv::imdecode(view, channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR);
    if (!mat.empty()) warn_of_lost_depth(bytes, view, name);
  } catch (const cv::Exception&) {
    mat.release();
  }
  if (mat.empty()) throw UserError(fmt::format("{}: is not a readable image", name));
  return to_tensor(mat);
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
