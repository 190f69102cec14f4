#pragma once

#include <string>
#include <string_view>

namespace fercli {

std::string encode_base64(std::string_view bytes);  ///< RFC 4648, padded, one line

/// Line breaks are skipped, padding may be missing, and the alphabet of URLs is understood as well. Throws
/// std::invalid_argument on anything that is not base64.
std::string decode_base64(std::string_view text);

}  // namespace fercli
