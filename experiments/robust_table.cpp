// The robustness table: reads what robust-results.sh left in OUT/MODEL/… and writes OUT/robustness.json, and
// OUT/robustness.md from it.
//   robust_table OUT MODEL…
//
// The JSON, {"value", "interval", "n"} being a Metric:
//
//     {"data": {…}, "norm", "seed", "constant_answer": Metric,
//      "models": [{"name", "digest", "arch", "settings",
//                  "attacks": [{"name", "settings", "n", "accuracy": Metric, "balanced_accuracy": Metric,
//                               "ladder": [{"eps", "robust_accuracy": Metric, "balanced": Metric, "success": Metric,
//                                           "per_class": [{"class", "robust_accuracy": Metric, "answered":
//                                           Metric}]}]}],
//                  "happy_to_sad": [{"eps", "min_confidence", "success_8bit": Metric or null}],
//                  "median_minimal_eps": Metric, "training": {"epochs", "seconds"} or null}],
//      "pairs": [{"first", "second", "attack", "eps", "n", …, "difference": Metric, "p", "p_holm"}]}
//
// An attack's ladder has the eps that it was run at. A success is null where the network is sure of no Happy face.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "eval/measures/mcnemar.hpp"
#include "eval/robustness_summary.hpp"
#include "report/training_log.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::vector<std::string> kLadder{"1/255", "2/255", "4/255", "8/255"};
const std::vector<std::string> kAttacks{"fgsm", "pgd", "autoattack"};
constexpr const char* kMainEps = "4/255";
constexpr const char* kClassAttack = "pgd";
constexpr double kAllFaces = 0, kSure = 0.9;

/// What was measured of one model, beside its part of the JSON.
struct Subject {
  std::string name;
  Result ladder, autoattack;  ///< FGSM and PGD; AutoAttack

  const Result& of(const std::string& attack) const { return attack == "autoattack" ? autoattack : ladder; }
};

/// Where the list `entries` says `value` under `key`; null when nowhere.
json entry_where(const json& entries, const char* key, const json& value) {
  for (const auto& entry : entries) {
    if (entry.at(key) == value) return entry;
  }
  return nullptr;
}

json attack_json(const Result& result, const std::string& name) {
  json part = {{"name", name},
               {"settings", nullptr},
               {"n", result.n},
               {"accuracy", to_json(result.metrics.at("accuracy"))},
               {"balanced_accuracy", to_json(result.metrics.at("balanced_accuracy"))},
               {"ladder", json::array()}};
  const LadderFigures figures = robustness_of(result).value();
  for (const auto& attack : figures.attacks) {
    if (attack.curves.name != name) continue;
    part["settings"] = attack.settings;
    for (size_t at = 0; at < figures.base.eps.size(); ++at) {
      part["ladder"].push_back({{"eps", figures.base.eps[at]},
                                {"robust_accuracy", to_json(attack.curves.robust_accuracy[at])},
                                {"balanced", to_json(attack.curves.balanced[at])},
                                {"success", to_json(attack.curves.success[at])}});
      for (const auto& of_class : attack.by_class.value()) {
        part["ladder"].back()["per_class"].push_back({{"class", of_class.name},
                                                      {"robust_accuracy", to_json(of_class.robust[at])},
                                                      {"answered", to_json(of_class.predicted[at])}});
      }
    }
  }
  return part;
}

/// The history of epochs beside the model; empty where there is none, or the model is gone since it was measured.
fs::path history_of(const std::string& model) {
  try {
    return history_beside(resolve_model(model));
  } catch (const UserError&) {
    return {};
  }
}

/// null without a history.
json training_json(const std::string& model) {
  const auto history = history_of(model);
  if (history.empty()) return nullptr;
  const auto epochs = read_history(history);
  double seconds = 0;
  for (const auto& epoch : epochs) seconds += epoch.at("seconds").get<double>();
  return {{"epochs", epochs.size()}, {"seconds", seconds}};
}

json model_json(const Subject& subject, const fs::path& folder) {
  const json& described = subject.ladder.model();
  json model = {{"name", subject.name},
                {"digest", described.at("digest")},
                {"arch", described.at("arch")},
                {"settings", described.at("settings")},
                {"training", training_json(described.at("model"))}};
  for (const auto& attack : kAttacks) model["attacks"].push_back(attack_json(subject.of(attack), attack));
  for (const int eps : {4, 8}) {
    for (const double confidence : {kAllFaces, kSure}) {
      const auto metrics =
          read_result(folder / fmt::format("happy-to-sad-{}-{}", eps, confidence) / "result.json").metrics;
      const bool any =
          metrics.at("confident_share").value > 0;  // where none is, the best face was attacked all the same
      model["happy_to_sad"].push_back({{"eps", fmt::format("{}/255", eps)},
                                       {"min_confidence", confidence},
                                       {"success_8bit", any ? to_json(metrics.at("success_8bit")) : json()}});
      const auto minimal = metrics.find("median_minimal_eps");
      if (confidence == kAllFaces && minimal != metrics.end()) {
        model["median_minimal_eps"] = to_json(minimal->second);
      }
    }
  }
  return model;
}

/// Right at the main eps, image by image; empty where the attack was not run at it.
std::map<std::string, bool> outcomes(const Result& result, const std::string& attack) {
  const json& ladder = result.threat_model.at("eps");
  const auto budget = static_cast<size_t>(std::find(ladder.begin(), ladder.end(), kMainEps) - ladder.begin());
  std::map<std::string, bool> right;
  if (budget == ladder.size()) return right;
  for (const auto& image : result.per_image) {
    if (!image.answers.empty()) right[image.id] = image.answers.at(attack).at(budget) == image.label;
  }
  return right;
}

json pairs_json(const std::vector<Subject>& subjects) {
  auto pairs = json::array();
  for (size_t i = 0; i < subjects.size(); ++i) {
    for (size_t j = i + 1; j < subjects.size(); ++j) {
      for (const auto& attack : kAttacks) {
        const auto paired =
            pair_outcomes(outcomes(subjects[i].of(attack), attack), outcomes(subjects[j].of(attack), attack));
        if (paired.n() == 0) continue;
        pairs.push_back(to_json(paired));
        pairs.back().erase("first");  // the accuracies: their names are wanted for the models'
        pairs.back().erase("second");
        pairs.back().update(
            {{"first", subjects[i].name}, {"second", subjects[j].name}, {"attack", attack}, {"eps", kMainEps}});
      }
    }
  }
  add_holm(pairs);
  return pairs;
}

json table_json(const fs::path& out, const std::vector<std::string>& names) {
  std::vector<Subject> subjects;
  auto models = json::array();
  for (const auto& name : names) {
    subjects.push_back({name, read_result(out / name / "eval" / "result.json"),
                        read_result(out / name / "autoattack" / "result.json")});
    models.push_back(model_json(subjects.back(), out / name));
  }
  const Result& first = subjects.front().ladder;
  json data = first.dataset;
  data["name"] = "FER2013";
  data.erase("n");  // of the first model's images; each attack has its own
  data.erase("digest");
  return {{"data", data},
          {"norm", first.threat_model.at("norm")},
          {"seed", first.seed},
          {"constant_answer", to_json(first.metrics.at("constant_answer_accuracy"))},
          {"models", std::move(models)},
          {"pairs", pairs_json(subjects)}};
}

std::string share(const json& metric) {
  return format_share(metric_from_json(metric));
}

std::string p_value(double p) {
  return p < 1e-99 ? "under 1e-99" : fmt::format("{:.2g}", p);
}

/// In levels of 255; null stands for more than the search looked at.
std::string levels(const json& eps) {
  return eps.is_null() ? "beyond the search" : fmt::format("{:.0f}/255", 255 * eps.get<double>());
}

using Row = std::vector<std::string>;

std::string table(const std::string& title, const Row& head, const std::vector<Row>& rows) {
  std::string text = title + "\n\n| " + join(head, " | ") + " |\n|";
  for (size_t i = 0; i < head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : rows) text += "| " + join(row, " | ") + " |\n";
  return text + "\n";
}

std::string accuracy_table(const json& models, const std::string& attack, const char* clean, const char* kind,
                           const std::string& title) {
  Row head{"model", "n", "clean"};
  head.insert(head.end(), kLadder.begin(), kLadder.end());
  std::vector<Row> rows;
  for (const auto& model : models) {
    const json part = entry_where(model.at("attacks"), "name", attack);
    Row row{model.at("name"), part.at("n").dump(), share(part.at(clean))};
    for (const auto& eps : kLadder) {
      const json budget = entry_where(part.at("ladder"), "eps", eps);
      row.push_back(budget.is_null() ? "not run" : share(budget.at(kind)));
    }
    rows.push_back(std::move(row));
  }
  return table(title, head, rows);
}

std::string class_table(const json& models) {
  Row head{"model"};
  std::vector<Row> rows;
  for (const auto& model : models) {
    const json budget =
        entry_where(entry_where(model.at("attacks"), "name", kClassAttack).at("ladder"), "eps", kMainEps);
    Row row{model.at("name")};
    for (const auto& found : budget.at("per_class")) {
      if (rows.empty()) head.push_back(found.at("class"));
      const json& kept = found.at("robust_accuracy");
      row.push_back(fmt::format("{} of {}; answered {:.0f}", share(kept), kept.at("n").get<int64_t>(),
                                100 * found.at("answered").at("value").get<double>()));
    }
    rows.push_back(std::move(row));
  }
  return table(
      fmt::format("PGD-20 at {}: robust accuracy of each class (%), and how often it is answered (%)", kMainEps), head,
      rows);
}

std::string flip_table(const json& models) {
  Row head{"model"};
  std::vector<Row> rows;
  for (const auto& model : models) {
    Row row{model.at("name")};
    for (const auto& flips : model.at("happy_to_sad")) {
      if (rows.empty()) {
        head.push_back(flips.at("eps").get<std::string>() +
                       (flips.at("min_confidence") == kAllFaces ? ", all Happy" : ", over 0.9 sure"));
      }
      const json& success = flips.at("success_8bit");
      row.push_back(success.is_null() ? "none is so sure"
                                      : fmt::format("{} of {}", share(success), success.at("n").get<int64_t>()));
    }
    const json &minimal = model.at("median_minimal_eps"), &interval = minimal.at("interval");
    row.push_back(fmt::format("{} ({}–{}) of {}", levels(minimal.at("value")), levels(interval.at(0)),
                              levels(interval.at(1)), minimal.at("n").get<int64_t>()));
    rows.push_back(std::move(row));
  }
  head.push_back("median smallest eps");
  return table(
      "Happy turned Sad, read back from 8-bit files (%), and the median over all Happy faces of the smallest eps that "
      "suffices",
      head, rows);
}

std::string paired_table(const json& pairs) {
  std::vector<Row> rows;
  for (const auto& pair : pairs) {
    const auto p = pair.at("p_holm").get<double>();
    rows.push_back({pair.at("first"), pair.at("second"), pair.at("attack"), pair.at("n").dump(),
                    pair.at("only_first").dump(), pair.at("only_second").dump(), share(pair.at("difference")),
                    p_value(pair.at("p")), p_value(p) + (p < 0.05 ? " *" : "")});
  }
  return table(
      fmt::format("Pairs of models at {}: images that only one of them gets right, difference of the robust "
                  "accuracies (points); exact McNemar test, with Holm's correction for all {} tests (* below 0.05)",
                  kMainEps, pairs.size()),
      {"first", "second", "attack", "n", "only the first", "only the second", "difference", "p", "p, Holm"}, rows);
}

/// Models without a history are left out.
std::string training_table(const json& models) {
  std::vector<Row> rows;
  for (const auto& model : models) {
    const json& training = model.at("training");
    if (training.is_null()) continue;
    rows.push_back({model.at("name"), training.at("epochs").dump(),
                    fmt::format("{:.0f}", training.at("seconds").get<double>() / 60)});
  }
  return rows.empty() ? "" : table("Training", {"model", "epochs", "minutes"}, rows);
}

std::string markdown(const json& found) {
  const json &models = found.at("models"), &constant = found.at("constant_answer");
  std::string text = fmt::format(
      "# Robustness\n\n{} {}, {}, 8-bit images, seed {}; in brackets 95 % intervals. A face that the network gets "
      "wrong as "
      "it is counts as broken.\nMade by `experiments/robust-results.sh`.\n\n",
      found.at("data").at("name").get<std::string>(), found.at("data").at("split").get<std::string>(),
      found.at("norm").get<std::string>(), found.at("seed").get<uint64_t>());
  for (const auto& attack : kAttacks) {
    text += accuracy_table(models, attack, "accuracy", "robust_accuracy",
                           fmt::format("Robust accuracy under {} (%)", attack));
    text += accuracy_table(models, attack, "balanced_accuracy", "balanced",
                           fmt::format("Balanced robust accuracy under {} (%)", attack));
  }
  text += fmt::format("Always giving the most frequent answer scores {} at any eps (n = {}).\n\n", share(constant),
                      constant.at("n").get<int64_t>());
  return text + class_table(models) + flip_table(models) + paired_table(found.at("pairs")) + training_table(models);
}

}  // namespace

}  // namespace fercli

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    std::cerr << "usage: robust_table OUT MODEL…\n";
    return 2;
  }
  try {
    const std::filesystem::path out = arguments[0];
    const auto found = fercli::table_json(out, {arguments.begin() + 1, arguments.end()});
    const auto text = fercli::markdown(found);
    fercli::write_file(out / "robustness.json", fercli::pretty_json(found) + "\n");
    fercli::write_file(out / "robustness.md", text);
    std::cout << text;
  } catch (const std::exception& error) {
    std::cerr << "robust_table: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
