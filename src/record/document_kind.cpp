#include "record/document_kind.hpp"

#include <nlohmann/json.hpp>

namespace fercli {

nlohmann::json schema_document(const DocumentKind& kind) {
  nlohmann::json schema = kind.schema();
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "fercli " + kind.name;
  schema["description"] = kind.summary;
  return schema;
}

}  // namespace fercli
