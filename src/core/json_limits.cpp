#include "core/json_limits.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace fercli {

/// Looked at before the parser runs: its own callback for every value takes quadratic time in long arrays of objects.
bool is_nested_too_deeply(const std::string& text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if ((c == '[' || c == '{') && ++depth > kDeepestJson) return true;
    if (c == ']' || c == '}') --depth;
  }
  return false;
}

template <class Whole>
Whole whole_of(const nlohmann::json& json) {
  using Limits = std::numeric_limits<Whole>;
  if (json.is_number_float()) {
    const auto value = json.get<double>();
    const bool fits = value >= static_cast<double>(Limits::min()) && value < std::ldexp(1.0, Limits::digits) &&
                      value == std::trunc(value);
    if (!fits) json.get_ref<const nlohmann::json::number_integer_t&>();  // throws that it is none
  }
  if (!Limits::is_signed && json.is_number_integer() && !json.is_number_unsigned() && json.get<int64_t>() < 0) {
    json.get_ref<const nlohmann::json::number_unsigned_t&>();  // likewise
  }
  return json.get<Whole>();
}

template int64_t whole_of<int64_t>(const nlohmann::json& json);
template uint64_t whole_of<uint64_t>(const nlohmann::json& json);

std::vector<int64_t> wholes_of(const nlohmann::json& list) {
  const auto& numbers = list.get_ref<const nlohmann::json::array_t&>();
  std::vector<int64_t> wholes;
  wholes.reserve(numbers.size());
  for (const auto& number : numbers) wholes.push_back(whole_of(number));
  return wholes;
}

}  // namespace fercli
