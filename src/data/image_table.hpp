#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/observer.hpp"

namespace fercli {

/// A table with a header whose rows are about images of a data set: votes, groups, whatever people know of them.
class ImageTable {
 public:
  /// `option` ("--votes") names the file in messages. Throws UserError: unreadable, empty, or a row with more or fewer
  /// fields than the header, or one about an image of which another row says otherwise.
  ImageTable(const std::string& path, const std::string& option, Observer& observer);

  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

  /// The column that names the image: id, file, path, image or Image name.
  std::optional<size_t> name_column() const { return name_; }

  /// The row about the image of this id: by that column, with or without folders and ending; else, for the images of a
  /// CSV ("row-12"), by its place.
  std::optional<size_t> row_of(const std::string& id) const;

  /// "--votes FILE:3: problem", for a row counted from 0. Throws UserError.
  [[noreturn]] void fail(size_t row, const std::string& problem) const;
  [[noreturn]] void fail(const std::string& problem) const;

 private:
  void require_same(size_t earlier, size_t row) const;

  std::string path_, option_;
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<int64_t> lines_;  ///< of the rows
  std::optional<size_t> name_;
  std::unordered_map<std::string, size_t> by_name_, by_part_;  ///< rows: by the whole name, and by parts of it
};

}  // namespace fercli
