#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "report/report.hpp"

namespace fercli {

/// Whether a file is taken for a session by its name: .csv or .jsonl.
bool is_session_name(const std::filesystem::path& file);

/// What was seen in videos, from what `predict --csv`, `live --csv` and `live --jsonl` write: each person's stretches,
/// shares and changes (`fercli schema session-report`). A row covers the time until the next frame of its video;
/// rows of pictures, which have no time, are left out. The memory grows with the number of stretches, not with that of
/// rows. Throws UserError: cannot be read, is no such file, has no frame of a video, or has a video that ended before.
nlohmann::json read_session(const std::vector<std::string>& files);

/// FOLDER/report.html, which needs no other file, report.md, report.json and figures/, as `write_report`.
void write_session_report(const nlohmann::json& session, const RenderOptions& options,
                          const std::filesystem::path& folder);

}  // namespace fercli
