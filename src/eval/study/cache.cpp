#include "eval/study/cache.hpp"

#include <fmt/format.h>

#include "core/digest.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/output_part.hpp"
#include "core/untrusted.hpp"

namespace fercli {

using nlohmann::json;

namespace {

constexpr size_t kDigits = 16;

/// As a file gives it back: what is no number is null there.
json stored(const json& value) {
  return json::parse(compact_json(value));
}

/// Of key and value as they are written in a file, so that a changed byte is found.
std::string digest_of(const json& key, const json& value) {
  return sha256_hex(compact_json({{"key", key}, {"value", value}}));
}

}  // namespace

StudyCache::StudyCache(std::filesystem::path folder, bool sweeps) : folder_(std::move(folder)) {
  if (sweeps) sweep_parts(folder_);
}

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
  const json entry = read_untrusted_json(file);
  const bool whole = entry.is_object() && entry.contains("value") && entry.value("key", json()) == stored(key) &&
                     entry.value("sha256", json()) == digest_of(entry.at("key"), entry.at("value"));
  if (!whole) {
    warn(fmt::format("{}: is damaged, and measured again", file.string()));
    return {};
  }
  return entry.at("value");
}

void StudyCache::store(const std::string& name, const json& key, const json& value) const {
  const json entry{{"key", key}, {"sha256", digest_of(stored(key), stored(value))}, {"value", value}};
  write_file(place(name, key, ".json"), compact_json(entry) + "\n");
  const std::string unfinished = state(name, key).filename().string();
  std::error_code error;
  for (const auto& found : std::filesystem::directory_iterator(folder_, error)) {
    const std::string file = found.path().filename().string();
    if (file == unfinished || file.rfind(unfinished + "-", 0) == 0) std::filesystem::remove(found.path(), error);
  }
}

}  // namespace fercli
