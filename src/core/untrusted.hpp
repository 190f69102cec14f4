#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fercli {

/// JSON from a file of unknown origin. Throws nlohmann::json::parse_error when it is no JSON, and std::runtime_error
/// when it is nested so deeply that recursive readers of it run out of stack.
nlohmann::json parse_untrusted_json(const std::string& text);

}  // namespace fercli
