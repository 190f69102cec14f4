#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/registry.hpp"

namespace fercli {

/// A kind of JSON document that the program writes, registered by the file that writes it.
struct DocumentKind {
  static constexpr const char* kKind = "document";
  std::string name;     ///< "result"
  std::string summary;  ///< which command writes it, and under what name
  nlohmann::json (*schema)();
};

/// The whole JSON Schema of a kind (draft 2020-12), as `fercli schema NAME` prints it.
nlohmann::json schema_document(const DocumentKind& kind);

}  // namespace fercli
