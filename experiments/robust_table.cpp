// The robustness table: reads what robust-results.sh left in OUT/MODEL/… and writes OUT/robustness.json
// (`fercli schema robustness-table`), and OUT/robustness.md from it.
//   robust_table OUT MODEL…
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"
#include "eval/experiment_records.hpp"
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

/// The results of one model.
struct Subject {
  std::string name;
  Result ladder, autoattack;  ///< FGSM and PGD; AutoAttack

  const Result& of(const std::string& attack) const { return attack == "autoattack" ? autoattack : ladder; }
};

TableAttack attack_of(const Result& result, const std::string& name) {
  const LadderFigures figures = robustness_of(result).value();
  for (const auto& attack : figures.attacks) {
    if (attack.curves.name != name) continue;
    return {attack.curves,
            attack.settings,
            result.n,
            result.metrics.at("accuracy"),
            result.metrics.at("balanced_accuracy"),
            figures.base.eps,
            attack.by_class.value()};
  }
  throw UserError(fmt::format("the result of {} has no figures of {}", result.model_name(), name));
}

/// The history of epochs beside the model; empty where there is none, or the model is gone since it was measured.
fs::path history_of(const std::string& model) {
  try {
    return history_beside(resolve_model(model));
  } catch (const UserError&) {
    return {};
  }
}

std::optional<TableTraining> training_of(const std::string& model) {
  const auto history = history_of(model);
  if (history.empty()) return {};
  const auto epochs = read_history(history);
  TableTraining training{static_cast<int64_t>(epochs.size()), 0};
  for (const auto& epoch : epochs) training.seconds += epoch.at("seconds").get<double>();
  return training;
}

TableModel model_of(const Subject& subject, const fs::path& folder) {
  const json& described = subject.ladder.model();
  TableModel model{};
  model.name = subject.name;
  model.digest = described.at("digest");
  model.arch = described.at("arch");
  model.settings = described.at("settings");
  model.training = training_of(described.at("model"));
  for (const auto& attack : kAttacks) model.attacks.push_back(attack_of(subject.of(attack), attack));
  for (const int eps : {4, 8}) {
    for (const double confidence : {kAllFaces, kSure}) {
      const auto metrics =
          read_result(folder / fmt::format("happy-to-sad-{}-{}", eps, confidence) / "result.json").metrics;
      TableFlips flips{fmt::format("{}/255", eps), confidence, metrics.at("success_8bit")};
      // Where the network is sure of no face, the best one was attacked all the same.
      if (!(metrics.at("confident_share").value > 0)) flips.success_8bit.reset();
      model.happy_to_sad.push_back(flips);
      if (eps == 8 && confidence == kAllFaces) model.median_minimal_eps = metrics.at("median_minimal_eps");
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

std::vector<TablePair> pairs_of(const std::vector<Subject>& subjects) {
  std::vector<TablePair> pairs;
  for (size_t i = 0; i < subjects.size(); ++i) {
    for (size_t j = i + 1; j < subjects.size(); ++j) {
      for (const auto& attack : kAttacks) {
        const auto images =
            pair_outcomes(outcomes(subjects[i].of(attack), attack), outcomes(subjects[j].of(attack), attack));
        if (images.n() == 0) continue;
        pairs.push_back({subjects[i].name, subjects[j].name, attack, kMainEps, images, paired_difference(images),
                         mcnemar_exact(images.only_first, images.only_second)});
      }
    }
  }
  std::vector<double> p;
  for (const auto& pair : pairs) p.push_back(pair.p);
  const auto corrected = holm(p);
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i].p_holm = corrected[i];
  return pairs;
}

RobustnessTable table_of(const fs::path& out, const std::vector<std::string>& names) {
  std::vector<Subject> subjects;
  RobustnessTable table{};
  for (const auto& name : names) {
    subjects.push_back({name, read_result(out / name / "eval" / "result.json"),
                        read_result(out / name / "autoattack" / "result.json")});
    table.models.push_back(model_of(subjects.back(), out / name));
  }
  const Result& first = subjects.front().ladder;
  table.data = first.dataset;
  table.data["name"] = "FER2013";
  table.data.erase("n");  // of the first model's images; each attack has its own
  table.data.erase("digest");
  table.norm = first.threat_model.at("norm");
  table.seed = first.seed;
  table.constant_answer = first.metrics.at("constant_answer_accuracy");
  table.pairs = pairs_of(subjects);
  return table;
}

std::string p_value(double p) {
  return p < 1e-99 ? "under 1e-99" : fmt::format("{:.2g}", p);
}

/// In levels of 255.
std::string levels(double eps) {
  return std::isfinite(eps) ? fmt::format("{:.0f}/255", 255 * eps) : "beyond the search";
}

using Row = std::vector<std::string>;

std::string table(const std::string& title, const Row& head, const std::vector<Row>& rows) {
  std::string text = title + "\n\n| " + join(head, " | ") + " |\n|";
  for (size_t i = 0; i < head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : rows) text += "| " + join(row, " | ") + " |\n";
  return text + "\n";
}

const TableAttack& attack_on(const TableModel& model, const std::string& name) {
  const auto is_it = [&](const TableAttack& attack) { return attack.curves.name == name; };
  return *std::find_if(model.attacks.begin(), model.attacks.end(), is_it);
}

/// Where it is on the grid of the attack; behind it where the attack was not run at it.
size_t place_of(const std::string& eps, const TableAttack& attack) {
  return static_cast<size_t>(std::find(attack.eps.begin(), attack.eps.end(), eps) - attack.eps.begin());
}

std::string accuracy_table(const std::vector<TableModel>& models, const std::string& name, Metric TableAttack::*clean,
                           std::vector<Metric> LadderCurves::*kind, const std::string& title) {
  Row head{"model", "n", "clean"};
  head.insert(head.end(), kLadder.begin(), kLadder.end());
  std::vector<Row> rows;
  for (const auto& model : models) {
    const TableAttack& attack = attack_on(model, name);
    Row row{model.name, std::to_string(attack.n), format_share(attack.*clean)};
    for (const auto& eps : kLadder) {
      const size_t place = place_of(eps, attack);
      row.push_back(place == attack.eps.size() ? "not run" : format_share((attack.curves.*kind)[place]));
    }
    rows.push_back(std::move(row));
  }
  return table(title, head, rows);
}

std::string class_table(const std::vector<TableModel>& models) {
  Row head{"model"};
  std::vector<Row> rows;
  for (const auto& model : models) {
    const TableAttack& attack = attack_on(model, kClassAttack);
    const size_t place = place_of(kMainEps, attack);
    Row row{model.name};
    for (const auto& found : attack.by_class) {
      if (rows.empty()) head.push_back(found.name);
      const Metric& kept = found.robust.at(place);
      row.push_back(
          fmt::format("{} of {}; answered {:.0f}", format_share(kept), kept.n, 100 * found.predicted.at(place).value));
    }
    rows.push_back(std::move(row));
  }
  return table(
      fmt::format("PGD-20 at {}: robust accuracy of each class (%), and how often it is answered (%)", kMainEps), head,
      rows);
}

std::string flip_table(const std::vector<TableModel>& models) {
  Row head{"model"};
  std::vector<Row> rows;
  for (const auto& model : models) {
    Row row{model.name};
    for (const auto& flips : model.happy_to_sad) {
      if (rows.empty())
        head.push_back(flips.eps + (flips.min_confidence == kAllFaces ? ", all Happy" : ", over 0.9 sure"));
      const auto& success = flips.success_8bit;
      row.push_back(success ? fmt::format("{} of {}", format_share(*success), success->n) : "none is so sure");
    }
    const Metric& minimal = model.median_minimal_eps;
    row.push_back(fmt::format("{} ({}–{}) of {}", levels(minimal.value), levels(minimal.interval.low),
                              levels(minimal.interval.high), minimal.n));
    rows.push_back(std::move(row));
  }
  head.push_back("median smallest eps");
  return table(
      "Happy turned Sad, read back from 8-bit files (%), and the median over all Happy faces of the smallest eps that "
      "suffices",
      head, rows);
}

std::string paired_table(const std::vector<TablePair>& pairs) {
  std::vector<Row> rows;
  for (const auto& pair : pairs) {
    rows.push_back({pair.first, pair.second, pair.attack, std::to_string(pair.images.n()),
                    std::to_string(pair.images.only_first), std::to_string(pair.images.only_second),
                    format_share(pair.difference), p_value(pair.p),
                    p_value(pair.p_holm) + (pair.p_holm < 0.05 ? " *" : "")});
  }
  return table(
      fmt::format("Pairs of models at {}: images that only one of them gets right, difference of the robust "
                  "accuracies (points); exact McNemar test, with Holm's correction for all {} tests (* below 0.05)",
                  kMainEps, pairs.size()),
      {"first", "second", "attack", "n", "only the first", "only the second", "difference", "p", "p, Holm"}, rows);
}

/// Models without a history are left out.
std::string training_table(const std::vector<TableModel>& models) {
  std::vector<Row> rows;
  for (const auto& model : models) {
    if (!model.training) continue;
    rows.push_back(
        {model.name, std::to_string(model.training->epochs), fmt::format("{:.0f}", model.training->seconds / 60)});
  }
  return rows.empty() ? "" : table("Training", {"model", "epochs", "minutes"}, rows);
}

std::string markdown(const RobustnessTable& found) {
  std::string text = fmt::format(
      "# Robustness\n\n{} {}, {}, 8-bit images, seed {}; in brackets 95 % intervals. A face that the network gets "
      "wrong as "
      "it is counts as broken.\nMade by `experiments/robust-results.sh`.\n\n",
      found.data.at("name").get<std::string>(), found.data.at("split").get<std::string>(), found.norm, found.seed);
  for (const auto& attack : kAttacks) {
    text += accuracy_table(found.models, attack, &TableAttack::accuracy, &LadderCurves::robust_accuracy,
                           fmt::format("Robust accuracy under {} (%)", attack));
    text += accuracy_table(found.models, attack, &TableAttack::balanced_accuracy, &LadderCurves::balanced,
                           fmt::format("Balanced robust accuracy under {} (%)", attack));
  }
  text += fmt::format("Always giving the most frequent answer scores {} at any eps (n = {}).\n\n",
                      format_share(found.constant_answer), found.constant_answer.n);
  return text + class_table(found.models) + flip_table(found.models) + paired_table(found.pairs) +
         training_table(found.models);
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
    const auto found = fercli::table_of(out, {arguments.begin() + 1, arguments.end()});
    const auto text = fercli::markdown(found);
    fercli::write_file(out / "robustness.json", fercli::pretty_json(fercli::write_record(found)) + "\n");
    fercli::write_file(out / "robustness.md", text);
    std::cout << text;
  } catch (const std::exception& error) {
    std::cerr << "robust_table: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
