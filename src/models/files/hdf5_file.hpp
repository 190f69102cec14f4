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

  bool has(const std::string& path) const;  ///< a group or data set

  /// A text attribute of a group; Keras cuts long lists into NAME0, NAME1, …, which are joined.
  std::optional<std::string> text(const std::string& group, const std::string& attribute) const;
  std::vector<std::string> texts(const std::string& group, const std::string& attribute) const;

  /// A numeric data set as float32. Throws UserError: none there, not numeric, larger than the file allows.
  torch::Tensor tensor(const std::string& path) const;

 private:
  std::string name_;
  int64_t size_;
  std::shared_ptr<void> file_;
};

}  // namespace fercli
