#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace fercli {

/// A report from a file: report.json as it is, or the result.json of `fercli eval` in the parts that it has. Throws
/// UserError: no such file, not JSON, of another kind or a newer schema, lists that do not fit together, two images of
/// one id, or a result without clean figures.
nlohmann::json read_report(const std::filesystem::path& path);

/// One report about the models of all of them. A name that comes twice gets a number. The images that models
/// were shown of each other (transfer) are those of the first report that has them, and a warning says so. Throws
/// UserError when they are not about the same images, or one does not say (`dataset.digest`) which they are.
nlohmann::json merge_reports(const std::vector<nlohmann::json>& reports);

/// What a report calls a model: "standard" for the shipped one of that name, for standard.pt and for
/// out/standard/best.pt.
std::string short_model_name(const std::string& model);

}  // namespace fercli
