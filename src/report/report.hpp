#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/observer.hpp"

namespace fercli {

struct RenderOptions {
  std::string language = "en";  ///< "en" or "fr": every text of the report, figures included
  bool include_images = false;  ///< show gallery entries that are not marked `"drawn": true`, too
};

/// Renders a report (`fercli schema result` says what is in it) as FOLDER/report.html, which needs no other file,
/// FOLDER/report.md, and every figure as FOLDER/figures/NAME.png and NAME.svg, all by rename. Parts that are missing
/// leave their sections out. Without gnuplot the figures are left out after a warning on stderr, and the tables remain.
/// Throws UserError: not a report, of a newer schema, a field of another form (named by its JSON pointer), a language
/// that is not there, or a folder that cannot be written.
void write_report(const nlohmann::json& report, const RenderOptions& options, const std::filesystem::path& folder,
                  Observer& observer = Observer::none());

}  // namespace fercli
