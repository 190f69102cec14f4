#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fercli {

/// The value of a header field such as `multipart/form-data; boundary="x"`: what stands before the first semicolon, in
/// lower case, and the parameters under their names in lower case. Values may be quoted.
struct HeaderValue {
  std::string value;
  std::map<std::string, std::string> parameters;
};
HeaderValue parse_header_value(std::string_view text);

/// "%C3%A9" -> "é". An escape that is none stays as it is. `plus_is_space`: as in queries.
std::string decode_percent(std::string_view text, bool plus_is_space);

/// What the target of a request names: "/predict?lang=fr", or "http://host/predict?lang=fr" as proxies send it.
struct RequestTarget {
  std::string authority;  ///< "host:port" of a whole address, else ""
  std::string path;
  std::map<std::string, std::string> fields;
};
RequestTarget parse_target(std::string_view target);

constexpr size_t kMostFormParts = 32;

/// A part with the name "file".
struct FormFile {
  std::string name;  ///< as its sender calls it; "" where it does not
  std::string bytes;
};

struct Form {
  std::map<std::string, std::string> fields;  ///< of two with one name the first counts
  std::vector<FormFile> files;                ///< in their order
};

/// Reads multipart/form-data (RFC 7578, RFC 2046). Throws RequestError 400 when it is not well formed, is cut short or
/// has more than kMostFormParts.
Form parse_multipart(std::string_view body, const std::string& boundary);

}  // namespace fercli
