#include "core/untrusted.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace fercli {

namespace {

constexpr int kDeepestJson = 256;

}  // namespace

nlohmann::json parse_untrusted_json(const std::string& text) {
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepestJson) throw std::runtime_error(fmt::format("is nested more than {} deep", kDeepestJson));
    return true;
  };
  return nlohmann::json::parse(text, shallow);
}

}  // namespace fercli
