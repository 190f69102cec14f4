#pragma once

#include <filesystem>
#include <string>

#include "core/registry.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// One way of storing a data set that its reader gives back without loss.
struct DatasetWriter {
  static constexpr const char* kKind = "data format";
  std::string name;       ///< "csv", "folder", "packed"
  std::string extension;  ///< that asks for it: ".csv", ".ferpack"; "" where there is none
  void (*write)(const Dataset& data, const std::filesystem::path& destination);
};

/// Writes by rename; what stood there before is replaced. `format` is a writer's name, or "" for the one whose
/// extension the destination has (a name without an extension means a folder). Throws UserError: unknown format, a data
/// set that the format cannot hold, or a place that cannot be written.
void write_dataset(const Dataset& data, const std::filesystem::path& destination, const std::string& format = "");

}  // namespace fercli
