#include "data/delimited.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"

namespace fercli {

namespace {

constexpr size_t kBlockOfText = 1 << 20;    // bytes read at a time, of a file that has so many
constexpr size_t kLongestLine = 256 << 20;  // beyond this the file is no table
constexpr size_t kLongestFirstLine = 1 << 16;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// As spreadsheets write "Unicode text".
bool is_utf16(std::string_view line) {
  return line.compare(0, 2, "\xff\xfe") == 0 || line.compare(0, 2, "\xfe\xff") == 0;
}

/// Without the byte order mark of UTF-8 that spreadsheets write in front.
std::string_view without_mark(std::string_view line) {
  if (line.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0) line.remove_prefix(kByteOrderMark.size());
  return line;
}

}  // namespace

LineReader::LineReader(const std::string& path, Observer& observer) : path_(path), file_(nullptr, &std::fclose) {
  require_file(path);
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_) throw UserError(fmt::format("{}: cannot be read", path));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  block_ = error ? kBlockOfText : static_cast<size_t>(std::min<uintmax_t>(kBlockOfText, bytes + 1));
  progress_.emplace(observer, Work{error ? 0 : static_cast<int64_t>(bytes / kBlockOfText), 0, "MiB", "Reading"});
}

bool LineReader::next(std::string_view& line) {
  size_t searched = 0;
  for (;;) {
    const char* begin = buffer_.data() + position_;
    const size_t available = buffer_.size() - position_;
    if (const void* end = std::memchr(begin + searched, '\n', available - searched)) {
      take(line, static_cast<size_t>(static_cast<const char*>(end) - begin), 1);
      return true;
    }
    searched = available;
    if (fill()) continue;
    if (buffer_.size() == position_) return false;
    take(line, buffer_.size() - position_, 0);
    return true;
  }
}

void LineReader::take(std::string_view& line, size_t length, size_t ending) {
  line = std::string_view(buffer_).substr(position_, length);
  position_ += length + ending;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (++number_ > 1) return;
  if (is_utf16(line)) throw UserError(fmt::format("{}: is text in UTF-16; save it as UTF-8", path_));
  line = without_mark(line);
}

/// Drops what was given out and reads on; false at the end of the file.
bool LineReader::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  if (buffer_.size() > kLongestLine) {
    throw UserError(fmt::format("{}:{}: the line has no end; this is not a CSV of images", path_, number_ + 1));
  }
  const size_t kept = buffer_.size();
  buffer_.resize(kept + block_);
  const size_t got = std::fread(&buffer_[kept], 1, block_, file_.get());
  buffer_.resize(kept + got);
  if (got == kBlockOfText) progress_->advance(1);
  if (got == 0 && std::ferror(file_.get())) throw UserError(fmt::format("{}: cannot be read to its end", path_));
  return got > 0;
}

char delimiter_of(std::string_view line) {
  for (const char wanted : {',', ';', '\t'}) {
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == wanted && !quoted) return wanted;
    }
  }
  return ' ';
}

void split_fields(std::string_view line, char delimiter, std::vector<std::string>& fields) {
  if (line.find('\0') != std::string_view::npos) throw BadRow("holds a NUL byte, which no text does");
  bool quoted = false;
  size_t begin = 0, count = 0;
  const auto add = [&](size_t end) {
    const std::string_view field = line.substr(begin, end - begin);
    begin = end + 1;
    if (delimiter == ' ' && field.empty()) return;
    if (count == fields.size()) fields.emplace_back();
    read_csv_field(field, fields[count++]);
  };
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == delimiter && !quoted) {
      add(i);
    }
  }
  if (quoted) throw BadRow("a quote is not closed on its line");
  add(line.size());
  fields.resize(count);
}

std::string opening_line(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return "";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  std::string text(kLongestFirstLine, '\0');
  text.resize(file ? std::fread(text.data(), 1, text.size(), file.get()) : 0);
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  return std::string(without_mark(text));
}

}  // namespace fercli
