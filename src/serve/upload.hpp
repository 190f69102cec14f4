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

/// A name from a request as an answer shows it: printable, and cut where it is longer than any name.
std::string shown_name(std::string_view name);

/// Decodes an uploaded image in memory. Throws RequestError: 415 for anything but PNG, JPEG and WEBP, 413 when it has
/// more than `most_pixels` (nothing is decoded then) or more scans than any camera makes, 400 when it is empty, cut
/// short or damaged; Late when the thread's Deadline passes.
Picture decode_upload(const std::string& bytes, int64_t most_pixels);

}  // namespace fercli
