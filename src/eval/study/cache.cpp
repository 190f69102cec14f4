#include "eval/study/cache.hpp"

#include <fmt/format.h>

#include "core/digest.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"

namespace fercli {

using nlohmann::json;

namespace {

constexpr size_t kDigits = 16;

}  // namespace

std::filesystem::path StudyCache::place(const std::string& name, const json& key, const char* extension) const {
  return folder_ / fmt::format("{}-{}{}", name, sha256_hex(compact_json(key)).substr(0, kDigits), extension);
}

std::filesystem::path StudyCache::state(const std::string& name, const json& key) const {
  return place(name, key, ".state");
}

std::optional<json> StudyCache::find(const std::string& name, const json& key) const {
  const auto file = place(name, key, ".json");
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  const json entry = json::parse(read_file(file), nullptr, false);
  if (!entry.is_object() || entry.value("key", json()) != json::parse(compact_json(key)) || !entry.contains("value")) {
    warn(fmt::format("{}: is damaged, and measured again", file.string()));
    return {};
  }
  return entry.at("value");
}

void StudyCache::store(const std::string& name, const json& key, const json& value) const {
  write_file(place(name, key, ".json"), compact_json({{"key", key}, {"value", value}}) + "\n");
  std::error_code error;
  std::filesystem::remove(state(name, key), error);
}

}  // namespace fercli
