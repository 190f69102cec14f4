#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/observer.hpp"

namespace fercli {

/// Lines of a text file, without their ends (LF or CRLF) and a byte order mark, read block by block: no more than a
/// block and a line are in memory at a time. Throws UserError when the file cannot be read, is UTF-16, or a line has no
/// end.
class LineReader {
 public:
  LineReader(const std::string& path, Observer& observer);

  /// False at the end of the file. The view is good until the next call.
  bool next(std::string_view& line);

  int64_t number() const { return number_; }  ///< of the line last given, from 1

 private:
  void take(std::string_view& line, size_t length, size_t ending);
  bool fill();

  std::string path_, buffer_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::optional<Followed> progress_;
  size_t block_ = 0;  ///< bytes read at a time
  size_t position_ = 0;
  int64_t number_ = 0;
};

/// What is wrong with a row; who reads the file adds its name and the line.
struct BadRow : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What separates the fields of a file whose first line this is: the first of comma, semicolon and tab that occurs in
/// it outside quotes; else a blank.
char delimiter_of(std::string_view line);

/// Cuts a line at its delimiters, those inside double quotes excepted, and reads its fields (`read_csv_field`). Several
/// blanks that delimit count as one. `fields` is written over: its memory serves for line after line. Throws BadRow
/// when a quote is not closed, as in a row of several lines, or a byte is NUL.
void split_fields(std::string_view line, char delimiter, std::vector<std::string>& fields);

/// The first line of a file, at most 64 KiB of it; "" when it cannot be read.
std::string opening_line(const std::string& path);

}  // namespace fercli
