#pragma once

#include <filesystem>
#include <string>

#include "core/registry.hpp"

namespace fercli::test {

/// A file of a model format that no ModelWriter makes, for the contract of model formats.
struct ModelSample {
  static constexpr const char* kKind = "sample of a model format";
  std::string name;  ///< of the ModelFormat
  /// Writes, in this folder, a network for grey images of 16x16 with 7 outputs.
  std::filesystem::path (*write)(const std::filesystem::path& folder);
};

}  // namespace fercli::test
