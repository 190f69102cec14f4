#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "faces/picture.hpp"

namespace fercli {

/// A request that cannot be served: the HTTP status and one sentence for the sender.
class RequestError : public std::runtime_error {
 public:
  RequestError(int status, const std::string& message) : std::runtime_error(message), status_(status) {}
  int status() const { return status_; }

 private:
  int status_;
};

/// What an image's first bytes promise, read without decoding.
struct ImageHeader {
  std::string format;  ///< "PNG", "JPEG", "WEBP"; "" when it is none of these
  int64_t width = 0, height = 0;
};

/// Width and height are 0 when the header is damaged.
ImageHeader read_image_header(std::string_view bytes);

/// Decodes an uploaded image in memory. Throws RequestError: 415 for anything but PNG, JPEG and WEBP, 413 when its
/// header promises more than `most_pixels` (nothing is decoded then), 400 when it is empty, cut short or damaged.
Picture decode_upload(const std::string& bytes, int64_t most_pixels);

}  // namespace fercli
