#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "eval/measures/metrics.hpp"

namespace fercli {

/// JSON has no infinity and no NaN: null stands for both.
nlohmann::json finite_or_null(double value);

/// What one run found, and everything needed to repeat it. The JSON form:
///
///     {"schema": {"name": "fercli-result", "version": 1},
///      "command": "eval", "n": 3589, "metrics": {"accuracy": {"value": 0.72, "interval": [0.705, 0.735], "n": 3589},
///      …}, "dataset": {…}, "model": {…}, "threat_model": {…}, "attacks": […], "options": {"model": {"value",
///      "source"}, …}, "seed": 0, "environment": {…}, "warnings": […], "tables": {"confusion_matrix": [[…]], …},
///      "per_class": […], "timing": {"seconds": 12.3, …}, "per_image": [{"id": …}, …]}
///
/// Equal runs give equal bytes apart from "timing". Numbers that are not finite are written as null.
struct Result {
  static constexpr const char* kSchema = "fercli-result";
  static constexpr int64_t kSchemaVersion = 1;

  std::string command;
  int64_t n = 0;                          ///< images the metrics are about
  std::map<std::string, Metric> metrics;  ///< by name: "accuracy", "success_8bit", …
  nlohmann::json dataset;                 ///< see `describe_dataset`
  nlohmann::json model;                   ///< file, digest, arch, preprocessing, labels
  nlohmann::json threat_model;            ///< left out when null
  nlohmann::json attacks;                 ///< left out when null
  nlohmann::json options;                 ///< OptionSet::provenance
  uint64_t seed = 0;
  nlohmann::json environment;  ///< filled by `to_json` when null
  std::vector<std::string> warnings;
  nlohmann::json tables = nlohmann::json::object();  ///< figures in the form of numbers
  nlohmann::json per_class = nlohmann::json::array();
  nlohmann::json per_image = nlohmann::json::array();
  std::map<std::string, double> timing;  ///< "seconds", "images_per_second", …

  /// Keeps it for the JSON and says it on stderr.
  void add_warning(const std::string& line);
};

nlohmann::json to_json(const Metric& metric);  ///< {"value", "interval": [low, high], "n"}
Metric metric_from_json(const nlohmann::json& json);

nlohmann::json to_json(const Result& result);

/// The JSON as text, keys in the order above, one line per image. Ends with a newline.
std::string format_result(const Result& result);

/// Writes `format_result` by rename.
void write_result(const Result& result, const std::filesystem::path& path);

/// Throws UserError: no such file, not JSON, not a result of fercli, or of a newer schema.
Result read_result(const std::filesystem::path& path);

/// The same for a document that was read from this file already.
Result result_of(const nlohmann::json& document, const std::filesystem::path& path);

/// {"name", "split", "n", "digest", "skipped", "classes"} of the images that were used; `split` as shown to the user.
nlohmann::json describe_dataset(const Dataset& dataset, const std::string& split);

/// By which results tell images apart: "48x48x1:0123456789abcde", height x width x channels and a digest of the pixels.
std::vector<std::string> describe_pixels(const torch::Tensor& images);

/// "72.3 (67.1–76.9)", in %, for the cells of a table that states n elsewhere; a dash for n = 0.
std::string format_share(const Metric& metric);

/// "72.3 % (n = 3589, 95 % CI 70.8–73.7 %)".
std::string format_proportion(const Metric& metric);

}  // namespace fercli
