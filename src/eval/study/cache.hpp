#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace fercli {

/// Measurements kept by everything that they depend on, one file each: FOLDER/NAME-DIGEST.json, with a digest of its
/// content. What killed runs left there is swept, if `sweeps`.
class StudyCache {
 public:
  explicit StudyCache(std::filesystem::path folder, bool sweeps = true);

  const std::filesystem::path& folder() const { return folder_; }

  /// What is stored under this key; none, after a warning, where it is
  /// damaged or has no digest.
  std::optional<nlohmann::json> find(const std::string& name, const nlohmann::json& key) const;

  /// Written by rename. Throws UserError when the place cannot be written.
  void store(const std::string& name, const nlohmann::json& key, const nlohmann::json& value) const;

  /// Where a measurement under this key may keep what it has so far, and in several files: this name, -, and more.
  /// `store` removes them.
  std::filesystem::path state(const std::string& name, const nlohmann::json& key) const;

 private:
  std::filesystem::path place(const std::string& name, const nlohmann::json& key, const char* extension) const;

  std::filesystem::path folder_;
};

}  // namespace fercli
