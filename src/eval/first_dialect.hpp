#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fercli {

/// Whether documents of this schema are those that fercli wrote before `fercli/2`: {"name": "fercli-result", "version":
/// 1} or "fercli-report/1".
bool is_first_dialect(const nlohmann::json& schema);

/// Such a document in today's dialect. Throws JSON's exceptions and std::exception where it lacks what it should have.
nlohmann::json from_first_dialect(const nlohmann::json& document);

}  // namespace fercli
