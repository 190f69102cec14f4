#pragma once

#include <nlohmann/json_fwd.hpp>

namespace fercli {

nlohmann::json parts_schema();  ///< of "parts": figures of each study part, by model

}  // namespace fercli
