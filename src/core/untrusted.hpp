#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fercli {

/// JSON from a file of unknown origin, in time linear in its length. Throws nlohmann::json::parse_error when it is no
/// JSON, and std::runtime_error when it is nested so deeply that recursive readers of it run out of stack, or holds a
/// number that no 64-bit whole number could be.
nlohmann::json parse_untrusted_json(const std::string& text);

/// The JSON in a file of unknown origin; discarded (nlohmann::json::is_discarded) where parse_untrusted_json throws.
/// Throws UserError when the file cannot be read.
nlohmann::json read_untrusted_json(const std::filesystem::path& path);

/// The same for a file that must be JSON: throws UserError where it is not.
nlohmann::json require_untrusted_json(const std::filesystem::path& path);

}  // namespace fercli
