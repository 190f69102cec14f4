#include "serve/upload.hpp"

#include <fmt/format.h>

#include "core/escape.hpp"
#include "data/image.hpp"

namespace fercli {

namespace {

/// Smaller pictures cannot show a face, larger sides are beyond every camera.
constexpr int64_t kSmallestUpload = 8, kLargestUpload = 20000;

constexpr size_t kLongestName = 4001;  // one more than a message shows

int status_of(PictureRefused::Why why) {
  switch (why) {
    case PictureRefused::Why::TooLarge:
      return 413;
    case PictureRefused::Why::OtherFormat:
      return 415;
    case PictureRefused::Why::Damaged:
      break;
  }
  return 400;
}

}  // namespace

std::string shown_name(std::string_view name) {
  return for_message(printable(name.substr(0, kLongestName)));
}

Picture decode_upload(const std::string& bytes, int64_t most_pixels) {
  if (bytes.empty()) throw RequestError(400, "there is no image in the request");
  const std::string format = image_format(bytes);
  if (format != "PNG" && format != "JPEG" && format != "WEBP") {
    throw RequestError(415,
                       fmt::format("the image must be PNG, JPEG or WEBP{}{}", format.empty() ? "" : ", not ", format));
  }
  DecodeLimits limits;
  limits.most_pixels = most_pixels;
  limits.most_side = kLargestUpload;
  torch::Tensor image;
  try {
    image = decode_image(bytes, 3, "the image", limits);
  } catch (const PictureRefused& error) {
    throw RequestError(status_of(error.why()), "the image " + error.words());
  }
  if (image.size(1) < kSmallestUpload || image.size(2) < kSmallestUpload) {
    throw RequestError(400, fmt::format("the image is smaller than {0}x{0} pixels", kSmallestUpload));
  }
  return picture_of_image(image);
}

}  // namespace fercli
