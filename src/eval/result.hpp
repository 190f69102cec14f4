#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "eval/image_outcomes.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/study/invariants.hpp"
#include "record/message.hpp"

namespace fercli {

/// What one run found, and everything needed to repeat it: the one document of the commands that measure. In JSON:
///
///     {"schema": "fercli/2", "command": "eval", "n": 3589, "metrics": {"accuracy": {"value": 0.72, "interval": [0.705,
///      0.735], "n": 3589}, …}, "dataset": {…}, "models": [{"name": "standard", …}], "threat_model": {…}, "attacks":
///      […], "options": {"model": {"value", "source"}, …}, "seed": 0, "environment": {…}, "warnings": […],
///      "invariants": […], "parts": {"clean": {"standard": {…}}, …}, "outcomes": {"standard": {"ids": […], …}},
///      "tables": {…}, "timing": {"seconds": 12.3, …}, "per_image": [{"id": …}, …]}
///
/// What is empty is left out. Equal runs give equal bytes apart from "timing" and, in a report, costs. Numbers that
/// are not finite are written as null.
struct Result {
  static constexpr const char* kSchema = "fercli/2";

  std::string command;
  nlohmann::json mode;                    ///< of a report: "quick", "full" or "saved"; left out when null
  int64_t n = 0;                          ///< images the metrics are about
  std::map<std::string, Metric> metrics;  ///< by name: "accuracy", "success_8bit", …
  nlohmann::json dataset;                 ///< see `describe_dataset`
  std::vector<nlohmann::json> models;     ///< "name", file, digest, arch, preprocessing, labels
  nlohmann::json threat_model;            ///< left out when null
  nlohmann::json attacks;                 ///< left out when null
  nlohmann::json options;                 ///< OptionSet::provenance
  uint64_t seed = 0;
  nlohmann::json environment;  ///< an Environment; filled by `to_json` when null
  std::vector<Warning> warnings;
  std::vector<Invariant> invariants;
  nlohmann::json parts;  ///< figures by name, each of every model: "clean", "robustness", "groups", …
  std::map<std::string, ImageOutcomes> outcomes;     ///< of each model
  nlohmann::json tables = nlohmann::json::object();  ///< other figures
  std::vector<ImageFigures> per_image;
  std::map<std::string, double> timing;  ///< "seconds", "images_per_second", …

  /// See `describe_model`; it is called by its file, see `short_model_name`.
  void add_model(nlohmann::json description);
  const nlohmann::json& model() const { return models.at(0); }  ///< of those that are about one
  std::string model_name() const { return model().at("name"); }

  /// Keeps it for the JSON and says it on stderr.
  void add_warning(Warning warning);
  void add_warning(const std::string& line) { add_warning(Warning{"", {"", {}, line}}); }
};

nlohmann::json to_json(const Metric& metric);  ///< {"value", "interval": [low, high], "n"}
Metric metric_from_json(const nlohmann::json& json);

nlohmann::json to_json(const Result& result);

/// The JSON as text, keys in the order above, one line per image. Ends with a newline.
std::string format_result(const Result& result);

/// Writes `format_result` by rename.
void write_result(const Result& result, const std::filesystem::path& path);

/// A document of the program in today's dialect, whichever it was written in. Throws UserError: no such file, not
/// JSON, of another kind or a newer schema.
nlohmann::json read_document(const std::filesystem::path& path);

/// What such a document says. Throws JSON's exceptions where something is missing or of another type.
Result result_of(const nlohmann::json& document);

/// More than a grid has; work on outcomes grows with images times eps. Throws std::length_error.
void require_few_eps(size_t count);

/// Writes such a document as `write_result` does.
void write_document(const nlohmann::json& document, const std::filesystem::path& path);

/// Throws UserError as `read_document` does, and where something is missing.
Result read_result(const std::filesystem::path& path);

/// What results call a model: "standard" for the shipped one of that name, for standard.pt and for
/// out/standard/best.pt.
std::string short_model_name(const std::string& model);

/// `DataFacts` of the images that were used; `split` as shown to the user.
nlohmann::json describe_dataset(const Dataset& dataset, const std::string& split);

/// By which results tell images apart: "48x48x1:0123456789abcde", height x width x channels and a digest of the pixels.
std::vector<std::string> describe_pixels(const torch::Tensor& images);

/// "72.3 (67.1–76.9)", in %, for the cells of a table that states n elsewhere; a dash for n = 0.
std::string format_share(const Metric& metric);

/// "72.3 % (n = 3589, 95 % CI 70.8–73.7 %)".
std::string format_proportion(const Metric& metric);

}  // namespace fercli
