#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace fercli {

/// A report from a file: report.json, or what a result.json of `fercli eval` has of one. Throws UserError as
/// `read_document` does, on lists that do not fit together, two images of one id, or a result without clean figures.
nlohmann::json read_report(const std::filesystem::path& path);

/// One report about the models of all of them. A name that comes twice gets a number. Where they differ in options,
/// seed or environment, each model has that of its own run. The images that models were shown of each other (transfer)
/// are those of the first report that has them, and a warning says so. Throws UserError when they are not about the
/// same images, or one does not say (`dataset.digest`) which they are.
nlohmann::json merge_reports(std::vector<nlohmann::json> reports);

}  // namespace fercli
