#include "core/untrusted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_limits.hpp"

namespace fercli {

namespace {

/// What no 64-bit whole number holds: a reader that asks for a whole number would convert it, which is undefined.
bool has_number_out_of_range(const nlohmann::json& value) {
  if (value.is_number_float()) return !(std::abs(value.get<double>()) < 0x1p63);
  return value.is_structured() && std::any_of(value.begin(), value.end(), has_number_out_of_range);
}

}  // namespace

nlohmann::json parse_untrusted_json(const std::string& text) {
  if (is_nested_too_deeply(text)) throw std::runtime_error(fmt::format("is nested more than {} deep", kDeepestJson));
  auto document = nlohmann::json::parse(text);
  if (has_number_out_of_range(document)) throw std::runtime_error("holds a number beyond 9e18");
  return document;
}

nlohmann::json read_untrusted_json(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  if (is_nested_too_deeply(text)) return nlohmann::json::value_t::discarded;
  auto document = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (has_number_out_of_range(document)) return nlohmann::json::value_t::discarded;
  return document;
}

nlohmann::json require_untrusted_json(const std::filesystem::path& path) {
  auto document = read_untrusted_json(path);
  if (document.is_discarded()) {
    throw UserError(fmt::format("{}: is not JSON, is nested too deeply, or holds a number beyond 9e18", path.string()));
  }
  return document;
}

}  // namespace fercli
