#include "eval/result.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "attacks/engine/attack.hpp"
#include "core/build_info.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

double number_or_nan(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

ordered_json ordered(const Result& result) {
  ordered_json document;
  document["schema"] = {{"name", Result::kSchema}, {"version", Result::kSchemaVersion}};
  document["command"] = result.command;
  document["n"] = result.n;
  document["metrics"] = json::object();
  for (const auto& [name, metric] : result.metrics) document["metrics"][name] = to_json(metric);
  document["dataset"] = result.dataset;
  document["model"] = result.model;
  if (!result.threat_model.is_null()) document["threat_model"] = result.threat_model;
  if (!result.attacks.is_null()) document["attacks"] = result.attacks;
  document["options"] = result.options;
  document["seed"] = result.seed;
  document["environment"] = result.environment.is_null() ? environment_json() : result.environment;
  document["warnings"] = result.warnings;
  document["tables"] = result.tables;
  document["per_class"] = result.per_class;
  document["timing"] = json::object();
  for (const auto& [name, value] : result.timing) document["timing"][name] = finite_or_null(value);
  document["per_image"] = result.per_image;
  return document;
}

/// A list with one entry per line, however long.
std::string lines_of(const ordered_json& list) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "\n    " : ",\n    ") + compact_json(entry);
  return "[" + text + "\n  ]";
}

Result parse_result(const json& document) {
  Result result;
  result.command = document.at("command");
  result.n = document.at("n");
  for (const auto& [name, metric] : document.at("metrics").items()) result.metrics[name] = metric_from_json(metric);
  result.dataset = document.at("dataset");
  result.model = document.at("model");
  result.threat_model = document.value("threat_model", json());
  result.attacks = document.value("attacks", json());
  result.options = document.at("options");
  result.seed = document.at("seed");
  result.environment = document.at("environment");
  result.warnings = document.at("warnings").get<std::vector<std::string>>();
  result.tables = document.at("tables");
  result.per_class = document.at("per_class");
  for (const auto& [name, value] : document.at("timing").items()) result.timing[name] = number_or_nan(value);
  result.per_image = document.at("per_image");
  return result;
}

}  // namespace

json finite_or_null(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

void Result::add_warning(const std::string& line) {
  warnings.push_back(line);
  warn(line);
}

json to_json(const Metric& metric) {
  return {{"value", finite_or_null(metric.value)},
          {"interval", {finite_or_null(metric.interval.low), finite_or_null(metric.interval.high)}},
          {"n", metric.n}};
}

Metric metric_from_json(const json& document) {
  const auto& interval = document.at("interval");
  return {number_or_nan(document.at("value")),
          {number_or_nan(interval.at(0)), number_or_nan(interval.at(1))},
          document.at("n")};
}

json to_json(const Result& result) {
  return ordered(result);
}

std::string format_result(const Result& result) {
  std::string text = "{";
  const auto document = ordered(result);
  for (const auto& [key, value] : document.items()) {
    const bool by_line = value.is_array() && !value.empty() && value[0].is_object();
    text += fmt::format("{}\n  \"{}\": {}", text.size() > 1 ? "," : "", key,
                        by_line ? lines_of(value) : pretty_json(value, 2));
  }
  return text + "\n}\n";
}

void write_result(const Result& result, const std::filesystem::path& path) {
  write_file(path, format_result(result));
}

Result read_result(const std::filesystem::path& path) {
  const json document = json::parse(read_file(path), nullptr, false);
  if (document.is_discarded()) throw UserError(fmt::format("{}: is not JSON", path.string()));
  const json schema = document.is_object() ? document.value("schema", json::object()) : json::object();
  if (!schema.is_object() || schema.value("name", json()) != Result::kSchema ||
      !schema.value("version", json()).is_number()) {
    throw UserError(fmt::format("{}: is not a result of fercli", path.string()));
  }
  if (schema["version"] > Result::kSchemaVersion) {
    throw UserError(fmt::format("{}: result schema {} is newer than this fercli ({}) can read", path.string(),
                                schema["version"].dump(), version()));
  }
  try {
    return parse_result(document);
  } catch (const UserError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: is not a complete result of fercli ({})", path.string(), reason_of(error)));
  }
}

json describe_dataset(const Dataset& dataset, const std::string& split) {
  return {{"name", dataset.name},       {"split", split},
          {"n", dataset.size()},        {"digest", dataset.digest()},
          {"skipped", dataset.skipped}, {"classes", dataset.classes.names()}};
}

std::vector<std::string> describe_pixels(const torch::Tensor& images) {
  std::vector<std::string> texts;
  for (const int64_t key : image_keys(images)) {
    texts.push_back(fmt::format("{}x{}x{}:{:015x}", images.size(2), images.size(3), images.size(1), key));
  }
  return texts;
}

std::string format_share(const Metric& metric) {
  if (metric.n == 0) return "–";
  return fmt::format("{:.1f} ({:.1f}–{:.1f})", 100 * metric.value, 100 * metric.interval.low,
                     100 * metric.interval.high);
}

std::string format_proportion(const Metric& metric) {
  if (metric.n == 0) return "none (n = 0)";
  return fmt::format("{:.1f} % (n = {}, 95 % CI {:.1f}–{:.1f} %)", 100 * metric.value, metric.n,
                     100 * metric.interval.low, 100 * metric.interval.high);
}

}  // namespace fercli
