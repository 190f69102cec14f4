#include "core/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fercli {

using nlohmann::ordered_json;

namespace {

constexpr size_t kLine = 100;

bool only_numbers(const ordered_json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const auto& item) { return item.is_number(); });
}

}  // namespace

std::string compact_json(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::set<std::string> differing_keys(const nlohmann::json& first, const nlohmann::json& second) {
  std::set<std::string> different;
  for (const auto* side : {&first, &second}) {
    for (const auto& entry : side->items()) {
      const std::string& key = entry.key();
      if (first.value(key, nlohmann::json()) != second.value(key, nlohmann::json())) different.insert(key);
    }
  }
  return different;
}

std::string pretty_json(const ordered_json& value, int indent) {
  if (!value.is_structured() || only_numbers(value)) return compact_json(value);
  if (const std::string flat = compact_json(value); flat.size() <= kLine) return flat;
  const std::string pad(static_cast<size_t>(indent) + 2, ' ');
  std::string text;
  for (const auto& [key, child] : value.items()) {
    text += fmt::format("{}{}{}{}", text.empty() ? "\n" : ",\n", pad, value.is_object() ? compact_json(key) + ": " : "",
                        pretty_json(child, indent + 2));
  }
  const std::string end = "\n" + std::string(static_cast<size_t>(indent), ' ');
  return value.is_object() ? "{" + text + end + "}" : "[" + text + end + "]";
}

}  // namespace fercli
