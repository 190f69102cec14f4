#include "serve/form.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "core/base64.hpp"
#include "core/text.hpp"
#include "serve/upload.hpp"

namespace fercli {

namespace {

constexpr size_t kMostBoundary = 70, kMostPartHead = 16 << 10;

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

/// Reads the quoted text that begins at `place`, and leaves `place` behind it.
std::string take_quoted(std::string_view text, size_t& place) {
  std::string value;
  for (++place; place < text.size() && text[place] != '"'; ++place) {
    if (text[place] == '\\' && place + 1 < text.size()) ++place;
    value += text[place];
  }
  place = std::min(text.size(), place + 1);
  return value;
}

std::string_view without_blanks_before(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

[[noreturn]] void refuse_form(const char* why) {
  throw RequestError(400, fmt::format("the form is not well formed: {}", why));
}

/// What the head of one part says.
struct PartHead {
  std::string name, file_name, encoding;
};

/// The next line of a head, taken off it. Lines that begin with a blank go on with the one before (RFC 2045).
std::string take_line(std::string_view& head) {
  std::string line;
  do {
    const size_t end = std::min(head.find("\r\n"), head.size());
    line += head.substr(0, end);
    head.remove_prefix(std::min(head.size(), end + 2));
  } while (!head.empty() && (head[0] == ' ' || head[0] == '\t'));
  return line;
}

PartHead read_part_head(std::string_view text) {
  PartHead head;
  bool has_name = false;
  while (!text.empty()) {
    const std::string line = take_line(text);
    const size_t colon = std::min(line.find(':'), line.size());
    const std::string field = to_lower(trim(line.substr(0, colon)));
    const HeaderValue value = parse_header_value(std::string_view(line).substr(std::min(line.size(), colon + 1)));
    const auto name = value.parameters.find("name");
    if (field == "content-disposition" && value.value == "form-data" && name != value.parameters.end()) {
      head.name = name->second;
      has_name = true;
      const auto file = value.parameters.find("filename");
      if (file != value.parameters.end()) head.file_name = file->second;
    } else if (field == "content-transfer-encoding") {
      head.encoding = value.value;
    }
  }
  if (!has_name) refuse_form("a part has no name");
  return head;
}

/// Few senders still pack the values of a form (RFC 7578, 4.7).
std::string unpacked(std::string_view value, const std::string& encoding) {
  if (encoding.empty() || encoding == "binary" || encoding == "8bit" || encoding == "7bit") return std::string(value);
  if (encoding != "base64") refuse_form("a part is neither binary nor base64");
  try {
    return decode_base64(value);
  } catch (const std::invalid_argument&) {
    refuse_form("a part is not valid base64");
  }
}

}  // namespace

HeaderValue parse_header_value(std::string_view text) {
  size_t place = std::min(text.find(';'), text.size());
  HeaderValue header{to_lower(trim(text.substr(0, place))), {}};
  while (place < text.size()) {
    ++place;  // the semicolon
    const size_t equals = text.find_first_of("=;", place);
    if (equals == std::string_view::npos) break;
    const std::string name = to_lower(trim(text.substr(place, equals - place)));
    place = equals;
    if (text[equals] == ';') continue;
    place = std::min(text.find_first_not_of(" \t", equals + 1), text.size());
    if (place < text.size() && text[place] == '"') {
      header.parameters.emplace(name, take_quoted(text, place));
      place = std::min(text.find(';', place), text.size());
    } else {
      const size_t end = std::min(text.find(';', place), text.size());
      header.parameters.emplace(name, trim(text.substr(place, end - place)));
      place = end;
    }
  }
  return header;
}

std::string decode_percent(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(16 * high + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

RequestTarget parse_target(std::string_view target) {
  const size_t scheme = target.find("://");
  std::string_view authority;
  if (!target.empty() && target[0] != '/' && scheme != std::string_view::npos) {
    const size_t path = target.find_first_of("/?#", scheme + 3);
    authority = target.substr(scheme + 3, path == std::string_view::npos ? path : path - scheme - 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  target = target.substr(0, target.find('#'));
  const size_t question = std::min(target.find('?'), target.size());
  RequestTarget parsed{std::string(authority), decode_percent(target.substr(0, question), false), {}};
  if (parsed.path.empty()) parsed.path = "/";
  std::string_view query = target.substr(std::min(target.size(), question + 1));
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (!pair.empty()) {
      parsed.fields.emplace(decode_percent(pair.substr(0, equals), true),
                            decode_percent(pair.substr(std::min(pair.size(), equals + 1)), true));
    }
    query.remove_prefix(std::min(query.size(), end + 1));
  }
  return parsed;
}

Form parse_multipart(std::string_view body, const std::string& boundary) {
  if (boundary.empty() || boundary.size() > kMostBoundary) refuse_form("its Content-Type gives no boundary");
  const std::string line = "--" + boundary, delimiter = "\r\n" + line;
  size_t place = line.size();
  if (body.substr(0, line.size()) != line) {
    place = body.find(delimiter);
    if (place == std::string_view::npos) refuse_form("its boundary does not occur");
    place += delimiter.size();
  }
  Form form;
  for (size_t count = 0; body.substr(place, 2) != "--"; ++count) {
    if (count == kMostFormParts) refuse_form("it has more than 32 parts");
    std::string_view part = without_blanks_before(body.substr(place));
    if (part.size() < 2) refuse_form("it is cut short");
    if (part.substr(0, 2) != "\r\n") refuse_form("a boundary is followed by other text");
    part.remove_prefix(2);
    const size_t head_end = part.find("\r\n\r\n");
    // Where the value is empty, the blank line's end may be the delimiter's beginning.
    const size_t end = head_end == std::string_view::npos ? head_end : part.find(delimiter, head_end + 2);
    if (end == std::string_view::npos) refuse_form("it is cut short");
    const std::string_view head = part.substr(0, head_end);
    if (head.find(delimiter) != std::string_view::npos) refuse_form("a part has no blank line");
    if (head.size() > kMostPartHead) refuse_form("the head of a part is longer than 16 KiB");
    const size_t start = std::min(end, head_end + 4);
    const PartHead fields = read_part_head(head);
    std::string value = unpacked(part.substr(start, end - start), fields.encoding);
    if (fields.name == "file") {
      form.files.push_back({fields.file_name, std::move(value)});
    } else {
      form.fields.emplace(fields.name, std::move(value));
    }
    place = static_cast<size_t>(part.data() - body.data()) + end + delimiter.size();
  }
  return form;
}

}  // namespace fercli
