#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>

namespace fercli {

/// JSON for people: indented like `dump(2)`, but what fits on a line stays on one, and so does a list of numbers,
/// however long. `indent`: how far the line on which it begins is indented.
std::string pretty_json(const nlohmann::ordered_json& value, int indent = 0);

/// On one line. Here and above, what is not UTF-8, as file names need not be, becomes the replacement character.
std::string compact_json(const nlohmann::ordered_json& value);

/// The names, in order, of what is not equal in two objects, or is in one of them alone.
std::set<std::string> differing_keys(const nlohmann::json& first, const nlohmann::json& second);

}  // namespace fercli
