#include "eval/study/saved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/file_name.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "eval/groups.hpp"
#include "eval/result.hpp"
#include "eval/sanity.hpp"
#include "record/fields.hpp"
#include "record/message.hpp"

namespace fercli {

using nlohmann::json;

namespace {

constexpr const char* kReportCommand = "report";
constexpr const char* kSavedMode = "saved";

/// What a report says of a network that `fercli eval` measured.
json report_of(const json& result) {
  json report = {{"command", kReportCommand}, {"mode", kSavedMode}, {"warnings", json::array()}};
  for (const char* key : {"schema", "n", "dataset", "models", "options", "seed", "environment", "parts", "outcomes"})
    report[key] = result.at(key);
  if (result.contains("invariants")) report["invariants"] = result["invariants"];
  for (json warning : result.at("warnings")) {
    warning.emplace("model", report["models"].at(0).at("name"));
    report["warnings"].push_back(std::move(warning));
  }
  return report;
}

/// Numbers of things of which there are n.
bool are_within(const std::vector<int64_t>& numbers, size_t n) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [n](int64_t number) { return number >= 0 && static_cast<size_t>(number) < n; });
}

/// Outcomes whose lists do not fit together.
bool is_torn(const ImageOutcomes& outcomes, size_t classes) {
  const size_t n = outcomes.ids.size();
  const auto fits = [n](size_t length) { return length == n || length == 0; };
  const auto of_images = [n](const auto& entry, size_t found) {
    return found == entry.rows.size() && are_within(entry.rows, n);
  };
  for (const auto& attacked : outcomes.attacks) {
    require_few_eps(attacked.eps.size());
    if (!of_images(attacked, attacked.broken.size())) return true;
  }
  for (const auto& certified : outcomes.certified) {
    if (!of_images(certified, certified.radius.size())) return true;
  }
  return outcomes.labels.size() != n || !are_within(outcomes.labels, classes) || !fits(outcomes.answers.size()) ||
         !fits(outcomes.pixels.size());
}

/// Images are told apart, and paired with those of other results, by their ids.
void refuse_repeated_ids(const ImageOutcomes& outcomes, const std::string& model, const std::filesystem::path& path) {
  std::set<std::string> seen;
  for (const auto& id : outcomes.ids) {
    if (seen.insert(id).second) continue;
    throw UserError(fmt::format("{}: two images are called {}, so the outcomes of {} cannot be told apart",
                                path.string(), id, model));
  }
}

/// Throws an exception where this part of some model is not what it should be.
template <class Figures>
void read_each(const json& report, const char* part) {
  for (const auto& of_model : report["parts"].value(part, json::object())) Shape<Figures>::read(of_model);
}

/// Throws UserError or an exception on a report without what everything that reads, joins or writes one relies on.
void check_report(const json& report, const std::filesystem::path& path) {
  const Result whole = result_of(report);
  const json cost = report.at("parts").value("cost", json::object());
  if (!cost.is_null()) cost.get_ref<const json::object_t&>();
  for (const auto& of_part : cost) of_part.get_ref<const json::object_t&>();
  if (report["parts"].contains("transfer")) report["parts"]["transfer"].get_ref<const json::object_t&>();
  for (const char* object : {"dataset", "parts"}) report.at(object).get_ref<const json::object_t&>();
  const json& dataset = report["dataset"];
  const size_t classes = dataset.at("classes").get<std::vector<std::string>>().size();
  for (const char* text : {"name", "split"}) dataset.at(text).get_ref<const std::string&>();
  Shape<int64_t>::read(dataset.at("n"));
  if (whole.models.empty()) throw UserError(fmt::format("{}: names no model", path.string()));
  read_each<std::vector<SanityFlag>>(report, "sanity");
  read_each<GroupComparison>(report, "groups");
  for (const auto& model : whole.models) {
    const auto& name = model.at("name").get_ref<const std::string&>();
    const auto outcomes = whole.outcomes.find(name);
    if (outcomes == whole.outcomes.end()) continue;
    if (is_torn(outcomes->second, classes)) {
      throw UserError(fmt::format("{}: the outcomes of {} do not fit together", path.string(), name));
    }
    refuse_repeated_ids(outcomes->second, name, path);
  }
}

std::vector<std::string> names_of(const json& report) {
  std::vector<std::string> names;
  for (const auto& model : report.at("models")) names.push_back(model.at("name"));
  return names;
}

/// A grid without an eps, or attacks without one robust accuracy for each; what has no grid has no curves.
bool has_torn_curves(const json& part) {
  if (!part.contains("eps")) return false;
  const size_t budgets = part["eps"].get<std::vector<std::string>>().size();
  const auto torn = [budgets](const json& attack) {
    return attack.contains("robust_accuracy") &&
           attack["robust_accuracy"].get_ref<const json::array_t&>().size() != budgets;
  };
  const json attacks = part.value("attacks", json::array());
  return budgets == 0 || torn(part) || torn(part.value("worst", json::object())) ||
         std::any_of(attacks.begin(), attacks.end(), torn) || (part.contains("l2") && has_torn_curves(part["l2"]));
}

/// Tables have a column for each eps, and the last stands for the curve.
void refuse_torn_curves(const json& report, const std::filesystem::path& path) {
  for (const char* part : {"robustness", "autoattack"}) {
    if (!report.at("parts").contains(part)) continue;
    const json& of_models = report["parts"][part];
    for (const auto& name : names_of(report)) {
      if (!of_models.contains(name) || !has_torn_curves(of_models[name])) continue;
      throw UserError(fmt::format("{}: the part {} of {} does not have one robust accuracy of each attack for each eps",
                                  path.string(), part, name));
    }
  }
}

json complete_report(json document, const std::filesystem::path& path) {
  if (document.at("command") != kReportCommand) {
    if (!document.contains("parts") || !document["parts"].contains("clean")) {
      throw UserError(
          fmt::format("{}: is a result of `fercli {}`; reports are made of those of `fercli eval` and "
                      "`fercli report`",
                      path.string(), document["command"].get<std::string>()));
    }
    document = report_of(document);
  }
  document.emplace("invariants", json::array());  // left out where there are none
  check_report(document, path);
  return document;
}

json parse_saved(const std::filesystem::path& path) {
  json report = complete_report(read_document(path), path);
  refuse_torn_curves(report, path);
  return report;
}

void rename_key(json& object, const std::string& from, const std::string& to) {
  if (!object.is_object() || !object.contains(from)) return;
  json value = std::move(object[from]);
  object.erase(from);
  object[to] = std::move(value);
}

/// Renames a model where models are named, and nowhere else: figures have keys and values of the same words.
void rename_model(json& report, const std::string& from, const std::string& to) {
  const auto rename = [&](json& name) {
    if (name == from) name = to;
  };
  for (auto& model : report["models"]) rename(model["name"]);
  for (auto& invariant : report["invariants"]) rename(invariant["model"]);
  for (auto& warning : report["warnings"]) {
    if (warning.contains("model")) rename(warning["model"]);
  }
  if (report.contains("outcomes")) rename_key(report["outcomes"], from, to);
  for (auto& [part, of_models] : report["parts"].items()) {
    if (part == "cost") {
      for (auto& [of_part, costs] : of_models.items()) rename_key(costs, from, to);
    } else if (part == "transfer") {
      for (auto& name : of_models["models"]) rename(name);
    } else {
      rename_key(of_models, from, to);
    }
  }
}

/// Of the images. Throws UserError where the report does not say it: then nothing shows what it can be joined with.
std::string image_digest(const json& report) {
  const json& dataset = report.at("dataset");
  const json digest = dataset.value("digest", json());
  if (digest.is_string() && digest != "") return digest.get<std::string>();
  throw UserError(fmt::format(
      "the result of {} has no digest of its images ({}, {}), so it cannot be joined with others; give it a report of "
      "its own",
      names_of(report).front(), dataset.at("name").get<std::string>(), dataset.at("split").get<std::string>()));
}

/// Where results do not agree about their runs, each model has what its own says.
void keep_runs_apart(std::vector<json>& reports) {
  for (const char* key : {"options", "seed", "environment"}) {
    const json& first = reports.front().at(key);
    const bool shared = std::all_of(reports.begin(), reports.end(), [&](const json& report) {
      return report.at(key) == first && !report["models"].at(0).contains(key);
    });
    if (shared) continue;
    for (auto& report : reports) {
      for (auto& model : report["models"]) model.emplace(key, report[key]);  // of a joined report, its own are there
    }
  }
}

/// Adds what `other` says about its models, whose names are new here.
void add_report(json& report, const json& other) {
  for (const char* list : {"models", "warnings", "invariants"}) {
    for (const auto& entry : other.at(list)) report[list].push_back(entry);
  }
  report["outcomes"].update(other.value("outcomes", json::object()));
  for (const auto& [part, of_models] : other.at("parts").items()) {
    if (part == "cost") {
      for (const auto& [of_part, costs] : of_models.items()) report["parts"]["cost"][of_part].update(costs);
    } else if (part != "transfer") {
      if (of_models.is_object()) report["parts"][part].update(of_models);
    } else if (!report["parts"].contains(part)) {
      report["parts"][part] = of_models;
    } else {
      report["warnings"].push_back(
          Shape<Message>::write(Message::of("transfer-left-out", join(names_of(other), ", "))));
    }
  }
}

}  // namespace

json read_report(const std::filesystem::path& path) {
  try {
    return parse_saved(path);
  } catch (const UserError&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("{}: is not a complete result ({})", path.string(), reason_of(error)));
  }
}

json merge_reports(std::vector<json> reports) {
  if (reports.size() > 1) keep_runs_apart(reports);
  json merged = reports.front();
  if (reports.size() > 1) merged["mode"] = kSavedMode;
  for (size_t i = 1; i < reports.size(); ++i) {
    json other = reports[i];
    const json &here = merged.at("dataset"), &there = other.at("dataset");
    if (image_digest(merged) != image_digest(other)) {
      throw UserError(fmt::format(
          "the results are about different images ({}, {}, n = {}; {}, {}, n = {}); give each a report of its own",
          here.at("name").get<std::string>(), here.at("split").get<std::string>(), here.at("n").get<int64_t>(),
          there.at("name").get<std::string>(), there.at("split").get<std::string>(), there.at("n").get<int64_t>()));
    }
    const auto names = names_of(other), known = names_of(merged);
    auto taken = known;
    taken.insert(taken.end(), names.begin(), names.end());
    for (const auto& name : names) {
      if (std::find(known.begin(), known.end(), name) == known.end()) continue;
      taken.push_back(unused_name(name, taken));
      rename_model(other, name, taken.back());
    }
    add_report(merged, other);
  }
  return merged;
}

}  // namespace fercli
