#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fercli {

/// An HDF5 file for reading: groups, text attributes and numeric data sets, as Keras uses them.
class Hdf5File {
 public:
  explicit Hdf5File(const std::filesystem::path& path);

  /// A file held in memory; `name` is for messages.
  Hdf5File(const std::string& bytes, const std::string& name);

  /// A group or data set. Throws UserError: a link on the way that is not a hard one.
  bool has(const std::string& path) const;

  /// A text attribute of a group; Keras cuts long lists into NAME0, NAME1, …, which are joined. All that
  /// are read of a file have no more bytes than it, since many may be in one place of it; further ones are not there.
  std::optional<std::string> text(const std::string& group, const std::string& attribute) const;
  std::vector<std::string> texts(const std::string& group, const std::string& attribute) const;

  /// A numeric data set as float32. Throws UserError: none there, not numeric, in another file, larger than the
  /// file allows with all that was read before.
  torch::Tensor tensor(const std::string& path) const;

 private:
  std::vector<std::string> texts_in(const std::string& group, const std::string& attribute, int64_t most_pieces) const;

  std::string name_;
  int64_t size_;
  mutable int64_t read_ = 0;         ///< elements of data sets
  mutable uint64_t texts_left_ = 0;  ///< bytes
  std::shared_ptr<void> file_;
};

}  // namespace fercli
