// In the first dialect a result had tables of its own for what a report had as parts, and one network as "model".
#include "eval/first_dialect.hpp"

#include "core/text.hpp"
#include "data/label_set.hpp"
#include "eval/clean_figures.hpp"
#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"
#include "eval/robustness_summary.hpp"
#include "eval/study/invariants.hpp"
#include "record/message.hpp"

namespace fercli {

using nlohmann::json;

namespace {

const std::vector<std::string> kCleanMetrics{"accuracy", "balanced_accuracy",     "macro_f1",
                                             "ece",      "ece_if_calibrated",     "brier",
                                             "nll",      "accuracy_deduplicated", "accuracy_by_votes"};

using Metrics = std::map<std::string, Metric>;

json clean_part(const json& result, const Metrics& metrics) {
  CleanFigures figures;
  for (const auto& name : kCleanMetrics) {
    if (const auto metric = metrics.find(name); metric != metrics.end()) figures.metrics.insert(*metric);
  }
  const json& tables = result.at("tables");
  figures.per_class = result.at("per_class");
  tables.at("confusion_matrix").get_to(figures.confusion_matrix);
  json bins = tables.at("reliability");
  for (auto& bin : bins) bin["n"] = bin.at("accuracy").at("n");
  figures.reliability = Shape<std::vector<ReliabilityBin>>::read(bins);
  const auto images = Shape<int64_t>::read(result.at("n"));
  for (const auto& row : figures.per_class)
    figures.share_predicted.push_back(proportion(Shape<int64_t>::read(row.at("precision").at("n")), images));
  return Shape<CleanFigures>::write(figures);
}

/// The entries of the robustness table that are about this attack, by ascending eps.
std::vector<json> entries_of(const json& result, const std::string& attack) {
  std::vector<json> entries;
  for (const auto& entry : result.at("tables").at("robustness")) {
    if (entry.at("attack") == attack) entries.push_back(entry);
  }
  return entries;
}

std::vector<ClassUnderAttack> by_class(const std::vector<json>& entries) {
  std::vector<ClassUnderAttack> classes;
  for (const auto& entry : entries) {
    classes.resize(entry.at("per_class").size());
    for (size_t k = 0; k < classes.size(); ++k) {
      const json& row = entry["per_class"][k];
      classes[k].name = row.at("class");
      classes[k].robust.push_back(metric_from_json(row.at("robust_accuracy")));
      classes[k].predicted.push_back(metric_from_json(entry.at("answers").at(k).at("share")));
    }
  }
  return classes;
}

LadderAttack attack_figures(const json& result, const Metrics& metrics, const std::string& attack) {
  LadderAttack found;
  found.curves.name = attack;
  const auto entries = entries_of(result, attack);
  for (const auto& entry : entries) {
    const std::string place = attack + "." + entry.at("eps").get<std::string>();
    found.curves.robust_accuracy.push_back(metrics.at("robust_accuracy." + place));
    found.curves.balanced.push_back(metrics.at("balanced_robust_accuracy." + place));
    found.curves.success.push_back(metrics.at("attack_success." + place));
    found.forward += entry.value("forward", int64_t{0});
    found.backward += entry.value("backward", int64_t{0});
  }
  found.by_class = by_class(entries);
  return found;
}

json robustness_part(const json& result, const Metrics& metrics) {
  LadderFigures figures;
  const json &threat = result.at("threat_model"), &tables = result.at("tables");
  figures.base.norm = threat.at("norm");
  figures.base.n = Shape<int64_t>::read(threat.at("n"));
  threat.at("eps").get_to(figures.base.eps);
  if (threat.at("goal") != "untargeted") figures.goal = threat["goal"].get<std::string>();
  for (const auto& settings : result.at("attacks")) {
    figures.attacks.push_back(attack_figures(result, metrics, settings.at("name")));
    figures.attacks.back().settings = settings;
  }
  const LadderAttack worst = attack_figures(result, metrics, kWorstCase);
  figures.worst = worst.curves;
  for (const auto& entry : entries_of(result, kWorstCase))
    figures.base.eps_value.push_back(entry.at("eps_value").get<double>());
  figures.set_classes(*worst.by_class);
  const json& constant = tables.at("constant_answer");
  figures.constant_answer = constant.at("accuracy");
  figures.constant_answer["class"] = constant.at("class");
  figures.constant_answer["balanced"] = constant.at("balanced_accuracy");
  for (const auto& curve : tables.value("curves", json::array())) {
    MinimalEps found;
    found.attack = curve.at("attack");
    found.median = metrics.at("median_minimal_eps." + found.attack);
    found.curve = Shape<std::vector<EpsPoint>>::read(curve.at("points"));
    for (auto& attack : figures.attacks) {
      if (attack.curves.name == found.attack) attack.minimal_eps = found;
    }
    if (!figures.minimal_eps) figures.minimal_eps = std::move(found);
  }
  return Shape<LadderFigures>::write(figures);
}

/// The first budget at which the answer is wrong; their number when there is none.
int64_t first_wrong(const json& answers, const json& label) {
  for (size_t budget = 0; budget < answers.size(); ++budget) {
    if (answers[budget] != label) return static_cast<int64_t>(budget);
  }
  return static_cast<int64_t>(answers.size());
}

ImageOutcomes outcomes_of(const json& result) {
  const LabelSet classes(result.at("dataset").at("classes").get<std::vector<std::string>>());
  const json& images = result.at("per_image");
  ImageOutcomes outcomes;
  for (const auto& image : images) {
    outcomes.ids.push_back(image.at("id"));
    outcomes.labels.push_back(classes.index(image.at("label").get<std::string>()));
    outcomes.answers.push_back(classes.index(image.at("predicted").get<std::string>()));
    if (image.contains("pixels")) outcomes.pixels.push_back(image["pixels"]);
  }
  for (const auto& settings : result.value("attacks", json::array())) {
    const json& threat = result.at("threat_model");
    AttackedRows attacked{
        settings.at("name"),    threat.at("norm"), threat.at("eps").get<std::vector<std::string>>(), {}, {}, settings,
        restrictions_of(threat)};
    for (size_t row = 0; row < images.size(); ++row) {
      const json& image = images[row];
      if (!image.contains("answers")) continue;
      attacked.rows.push_back(static_cast<int64_t>(row));
      const bool right = image.at("predicted") == image.at("label");
      attacked.broken.push_back(right ? first_wrong(image["answers"].at(attacked.attack), image.at("label")) : -1);
    }
    outcomes.attacks.push_back(std::move(attacked));
  }
  return outcomes;
}

/// Messages were English sentences without keys. Warnings that a flag or an invariant says in full name it.
void give_messages(json& document) {
  std::map<std::string, const char*> keys{{" does not hold at ", kInvariantViolated}};
  const auto replace = [](json& sentence) { sentence = {{"text", sentence.get<std::string>()}}; };
  if (const json::json_pointer sanity("/parts/sanity"); document.contains(sanity)) {
    for (auto& of_model : document[sanity]) {
      for (auto& flag : of_model) {
        keys[flag.at("flag").get<std::string>() + ": "] = kFlagRaised;
        for (const char* member : {"found", "meaning"}) replace(flag.at(member));
      }
    }
  }
  for (auto& invariant : *document.emplace("invariants", json::array()).first) {
    if (invariant.contains("note")) replace(invariant["note"]);
  }
  for (auto& warning : document.at("warnings")) {
    replace(warning);
    for (const auto& [words, key] : keys) {
      if (warning["text"].get_ref<const std::string&>().find(words) != std::string::npos) warning["key"] = key;
    }
  }
}

json from_result(json result) {
  result["schema"] = Result::kSchema;
  json& model = result["models"][0] = result.at("model");
  const std::string name = short_model_name(model.at("model"));
  model["name"] = name;
  json& tables = result.at("tables");
  for (const char* part : {"groups", "sanity"}) {
    if (tables.contains(part)) result["parts"][part][name] = tables[part];
  }
  give_messages(result);
  if (tables.contains("confusion_matrix")) {  // of eval
    const auto metrics = Shape<Metrics>::read(result.at("metrics"));
    if (result.contains("threat_model")) require_few_eps(result["threat_model"].at("eps").size());
    result["parts"]["clean"][name] = clean_part(result, metrics);
    if (tables.contains("robustness")) result["parts"]["robustness"][name] = robustness_part(result, metrics);
    const ImageOutcomes outcomes = outcomes_of(result);
    result["outcomes"][name] = Shape<ImageOutcomes>::write(outcomes);
    const auto invariants = check_invariants(outcomes, name);
    result["invariants"] = Shape<std::vector<Invariant>>::write(invariants);
    for (const auto& warning : violations_in(invariants)) result["warnings"].push_back(Shape<Warning>::write(warning));
  }
  for (const char* key :
       {"confusion_matrix", "reliability", "robustness", "constant_answer", "curves", "groups", "sanity"})
    tables.erase(key);
  for (const char* key : {"model", "per_class"}) result.erase(key);
  return result;
}

json from_report(json report) {
  report["schema"] = Result::kSchema;
  report["command"] = "report";
  give_messages(report);
  report["n"] = report.at("dataset").at("n");
  for (const char* key : {"version", "revision"}) {
    if (!report["environment"].contains(key)) report["environment"][key] = report.value(key, "");
    report.erase(key);
  }
  report.emplace("options", json::object());
  return report;
}

const json kFirstResult = {{"name", "fercli-result"}, {"version", 1}}, kFirstReport = "fercli-report/1";

}  // namespace

bool is_first_dialect(const json& schema) {
  return schema == kFirstResult || schema == kFirstReport;
}

json from_first_dialect(const json& document) {
  return document.at("schema") == kFirstReport ? from_report(document) : from_result(document);
}

}  // namespace fercli
