#include "data/image_table.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/interrupt.hpp"
#include "core/text.hpp"
#include "data/delimited.hpp"

namespace fercli {

namespace {

constexpr size_t kSeveral = static_cast<size_t>(-1);  // a file name that rows in several folders share
constexpr std::string_view kRowId = "row-";           // of the images of a CSV

/// Without its folders, and without its ending.
std::vector<std::string> parts_of_name(const std::string& id) {
  const std::filesystem::path name(id);
  return {name.filename().string(), name.stem().string()};
}

/// The place that "row-12" names, from 1; 0: the id is another.
size_t place_in_csv(const std::string& stem) {
  if (stem.compare(0, kRowId.size(), kRowId) != 0) return 0;
  try {
    return static_cast<size_t>(std::max<int64_t>(0, parse_integer(stem.substr(kRowId.size()))));
  } catch (const std::invalid_argument&) {
    return 0;
  }
}

}  // namespace

ImageTable::ImageTable(const std::string& path, const std::string& option, Observer& observer)
    : path_(path), option_(option) {
  static const std::set<std::string> names{"id", "file", "filename", "path", "image", "image name"};
  LineReader lines(path, observer);
  std::vector<std::string> fields;
  std::string_view line;
  char delimiter = ',';
  while (lines.next(line)) {
    if (lines.number() % 1024 == 0) throw_if_interrupted();
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (columns_.empty()) delimiter = delimiter_of(line);
    lines_.push_back(lines.number());
    try {
      split_fields(line, delimiter, fields);
    } catch (const BadRow& problem) {
      fail(lines_.size() - 1, problem.what());
    }
    if (columns_.empty()) {
      columns_ = fields;
      lines_.clear();
    } else if (fields.size() != columns_.size()) {
      fail(rows_.size(), fmt::format("has {} fields, the header has {}", fields.size(), columns_.size()));
    } else {
      rows_.push_back(fields);
    }
  }
  if (columns_.empty()) fail("is empty");
  for (size_t i = 0; i < columns_.size() && !name_; ++i)
    if (names.count(to_lower(columns_[i])) > 0) name_ = i;
  for (size_t row = 0; name_ && row < rows_.size(); ++row) {
    const std::string name = printable(rows_[row][*name_]);
    if (name.empty()) continue;
    const auto [first, is_new] = by_name_.emplace(name, row);
    if (!is_new) require_same(first->second, row);
    for (const auto& part : parts_of_name(name)) {
      const auto [place, is_new_part] = by_part_.emplace(part, first->second);
      if (!is_new_part && place->second != first->second) place->second = kSeveral;
    }
  }
}

void ImageTable::require_same(size_t earlier, size_t row) const {
  if (rows_[earlier] == rows_[row]) return;
  fail(row, fmt::format("is about {} once more, and says otherwise than line {}", rows_[row][*name_], lines_[earlier]));
}

std::optional<size_t> ImageTable::row_of(const std::string& id) const {
  const std::string name = printable(id);  // as tables of fercli have it
  auto keys = parts_of_name(name);
  keys.insert(keys.begin(), name);
  for (const auto& key : keys) {
    if (const auto found = by_name_.find(key); found != by_name_.end()) return found->second;
    if (const auto found = by_part_.find(key); found != by_part_.end() && found->second != kSeveral)
      return found->second;
  }
  const size_t place = place_in_csv(keys.back());
  return place >= 1 && place <= rows_.size() ? std::optional(place - 1) : std::nullopt;
}

void ImageTable::fail(size_t row, const std::string& problem) const {
  throw UserError(fmt::format("{} {}:{}: {}", option_, path_, lines_.at(row), problem));
}

void ImageTable::fail(const std::string& problem) const {
  throw UserError(fmt::format("{} {}: {}", option_, path_, problem));
}

}  // namespace fercli
