#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/observer.hpp"
#include "core/registry.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// One way of storing a data set that its reader gives back without loss, but for what it says that it does not keep.
struct DatasetWriter {
  static constexpr const char* kKind = "data format";
  std::string name;       ///< "csv", "folder", "packed"
  std::string extension;  ///< that asks for it: ".csv", ".ferpack"; "" where there is none
  void (*write)(const Dataset& data, const std::filesystem::path& destination, Observer& observer);
  bool keeps_votes = false, keeps_groups = false;
  bool keeps_names = false;  ///< of classes that are called by numbers, which are else read as those of emotions
};

/// The writer named `format`, or with "" the one whose extension the destination has (no extension means a folder).
/// Throws UserError when there is none.
const DatasetWriter& find_writer(const std::filesystem::path& destination, std::string_view format = "");

/// Writes with `find_writer`, by rename; what stood there before is replaced. Throws UserError: a data set that the
/// format cannot hold, or a place that cannot be written.
void write_dataset(const Dataset& data, const std::filesystem::path& destination, const std::string& format = "",
                   Observer& observer = Observer::none());

}  // namespace fercli
