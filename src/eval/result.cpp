#include "eval/result.hpp"

#include <fmt/format.h>

#include "attacks/engine/attack.hpp"
#include "core/build_info.hpp"
#include "core/environment.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/untrusted.hpp"
#include "eval/explanation.hpp"
#include "eval/first_dialect.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/part_schemas.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

json attack_schema() {
  using namespace shape;
  return described(open_object({{"name", text()}}, {{"norm", text()},
                                                    {"eps", number()},
                                                    {"pixel_grid", flag()},
                                                    {"search_precision", text()},
                                                    {"verdict_precision", text()}}),
                   "and every parameter of the attack");
}

}  // namespace

template <class Visitor>
void visit_fields(Visitor& field, Result& result) {
  using namespace shape;
  field.constant("schema", Result::kSchema, "of this document");
  field("command", result.command, "that wrote it");
  field.optional("mode", result.mode, "of a report; saved: made of results that were there",
                 one_of({"quick", "full", "saved"}));
  field("n", result.n, "images that the metrics are about");
  field.unless_empty("metrics", result.metrics, "by name: accuracy, robust_accuracy.ATTACK.EPS, success_8bit, …");
  field("dataset", result.dataset, "the images", Shape<DataFacts>::schema());
  field("models", result.models,
        "the networks; `name` is unique. Joined results that differ in options, seed or environment: each its own",
        list(model_schema()));
  field.optional("threat_model", result.threat_model, "what the attacker may do", open_object({}));
  field.optional("attacks", result.attacks, "as they ran, at the largest eps", list(attack_schema()));
  field("options", result.options, "of the command, with where each value comes from", options_schema());
  field("seed", result.seed, "of every random number");
  field("environment", result.environment, "program, libraries, processor", Shape<Environment>::schema());
  field("warnings", result.warnings, "of the run, and of what it found");
  field.unless_empty("invariants", result.invariants, "between attacks, and whether they hold");
  field.unless_empty("parts", result.parts, "figures by name, each of every network; absent: not measured",
                     parts_schema());
  field.unless_empty("outcomes", result.outcomes, "of each network: what became of each image");
  field.unless_empty("tables", result.tables, "other figures", open_object({}, explanation_members()));
  field.unless_empty("timing", result.timing, "seconds and rates, which differ between equal runs");
  field.unless_empty("per_image", result.per_image, "one entry for each image");
}

namespace {

const Register<DocumentKind> result_document{
    {"result", "result.json of eval, attack, frame, universal and patch, report.json of report, and their --json",
     schema_of_record<Result>}};

ordered_json ordered(const Result& result) {
  ordered_json document = write_record(result);
  if (result.environment.is_null()) document["environment"] = Shape<Environment>::write(this_environment());
  return document;
}

const std::string kFamily = "fercli/";

/// Throws UserError where JSON lacks what `read` asks of it.
template <class Read>
auto complete_or_refuse(const std::filesystem::path& path, const Read& read) {
  try {
    return read();
  } catch (const UserError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: is not a complete result of fercli ({})", path.string(), reason_of(error)));
  }
}

/// A list with one entry per line, however long.
std::string lines_of(const ordered_json& list) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "\n    " : ",\n    ") + compact_json(entry);
  return "[" + text + "\n  ]";
}

}  // namespace

void Result::add_model(json description) {
  description["name"] = short_model_name(description.at("model"));
  models.push_back(std::move(description));
}

void Result::add_warning(Warning warning) {
  warn(warning.line());
  warnings.push_back(std::move(warning));
}

json to_json(const Metric& metric) {
  return Shape<Metric>::write(metric);
}

Metric metric_from_json(const json& document) {
  return Shape<Metric>::read(document);
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

json read_document(const std::filesystem::path& path) {
  json document = require_untrusted_json(path);
  const auto schema = document.is_object() ? document.value("schema", json()) : json();
  if (schema == Result::kSchema) return document;
  if (is_first_dialect(schema)) {
    return complete_or_refuse(path, [&] { return from_first_dialect(document); });
  }
  const std::string words = schema.is_string() ? schema.get<std::string>() : "";
  if (words.compare(0, kFamily.size(), kFamily) != 0) {
    throw UserError(fmt::format("{}: is not a result of fercli", path.string()));
  }
  throw UserError(fmt::format("{}: is of schema {}, which this fercli ({}) cannot read", path.string(),
                              printable(words), version()));
}

Result result_of(const json& document) {
  Result result;
  read_record(document, result);
  return result;
}

void require_few_eps(size_t count) {
  constexpr size_t kMost = 256;
  if (count > kMost) throw std::length_error(fmt::format("an attack at more than {} eps", kMost));
}

void write_document(const json& document, const std::filesystem::path& path) {
  write_result(result_of(document), path);
}

Result read_result(const std::filesystem::path& path) {
  const json document = read_document(path);
  return complete_or_refuse(path, [&] { return result_of(document); });
}

std::string short_model_name(const std::string& model) {
  const std::filesystem::path path = model;
  const std::string stem = path.stem().string(), folder = path.parent_path().filename().string();
  return (stem == "best" || stem == "last") && !folder.empty() ? folder : stem;
}

json describe_dataset(const Dataset& dataset, const std::string& split) {
  return Shape<DataFacts>::write(
      {dataset.name, split, dataset.digest(), dataset.size(), dataset.skipped, dataset.classes.names(), {}, {}, {}});
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
