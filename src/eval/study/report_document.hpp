#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace fercli {

constexpr const char* kReportSchema = "fercli-report/1";

/// Writes report.json by rename, keys in the order of its JSON Schema (`fercli schema report`).
void write_study(const nlohmann::json& report, const std::filesystem::path& path);

}  // namespace fercli
