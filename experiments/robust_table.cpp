// The robustness table: reads what robust-results.sh left in OUT/MODEL/… and writes OUT/robustness.md and .json.
//   robust_table OUT MODEL…
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "commands/training_log.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "eval/mcnemar.hpp"
#include "eval/result.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kLadder{"1/255", "2/255", "4/255", "8/255"};
const std::vector<std::string> kAttacks{"fgsm", "pgd", "autoattack"};
constexpr const char* kMainEps = "4/255";

/// Everything that was measured of one model.
struct Subject {
  std::string name;
  Result ladder, autoattack;            ///< FGSM and PGD; AutoAttack
  std::map<std::string, Result> flips;  ///< happy-to-sad, by "EPS-CONFIDENCE"

  const Result& of(const std::string& attack) const { return attack == "autoattack" ? autoattack : ladder; }
};

Subject read_subject(const fs::path& out, const std::string& name) {
  Subject subject{name,
                  read_result(out / name / "eval" / "result.json"),
                  read_result(out / name / "autoattack" / "result.json"),
                  {}};
  for (const char* eps : {"4", "8"}) {
    for (const char* confidence : {"0", "0.9"}) {
      const std::string key = fmt::format("{}-{}", eps, confidence);
      subject.flips.emplace(key, read_result(out / name / ("happy-to-sad-" + key) / "result.json"));
    }
  }
  return subject;
}

std::string percent(const Metric& metric) {
  if (metric.n == 0) return "–";
  return fmt::format("{:.1f} ({:.1f}–{:.1f})", 100 * metric.value, 100 * metric.interval.low,
                     100 * metric.interval.high);
}

/// The steps of the ladder that the attack was run at.
std::vector<std::string> rungs(const Subject& subject, const std::string& attack) {
  std::vector<std::string> found;
  for (const auto& eps : kLadder) {
    if (subject.of(attack).metrics.count(fmt::format("robust_accuracy.{}.{}", attack, eps)) > 0) found.push_back(eps);
  }
  return found;
}

bool run_at(const Subject& subject, const std::string& attack, const std::string& eps) {
  const auto ladder = rungs(subject, attack);
  return std::find(ladder.begin(), ladder.end(), eps) != ladder.end();
}

/// Right at the main eps, at which the attack was run, image by image.
std::map<std::string, bool> outcomes(const Subject& subject, const std::string& attack) {
  const auto ladder = rungs(subject, attack);
  const auto rung = static_cast<size_t>(std::find(ladder.begin(), ladder.end(), kMainEps) - ladder.begin());
  std::map<std::string, bool> right;
  for (const auto& image : subject.of(attack).per_image) {
    if (!image.contains("answers")) continue;
    right[image.at("id")] = image.at("answers").at(attack).at(rung) == image.at("label");
  }
  return right;
}

std::string table(const std::string& title, const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows) {
  std::string text = title + "\n\n| " + join(head, " | ") + " |\n|";
  for (size_t i = 0; i < head.size(); ++i) text += "---|";
  text += "\n";
  for (const auto& row : rows) text += "| " + join(row, " | ") + " |\n";
  return text + "\n";
}

std::string accuracy_table(const std::vector<Subject>& subjects, const std::string& attack, const std::string& kind,
                           const std::string& title) {
  std::vector<std::string> head{"model", "n", "clean"};
  for (const auto& eps : kLadder) head.push_back(eps);
  std::vector<std::vector<std::string>> rows;
  for (const auto& subject : subjects) {
    const Result& result = subject.of(attack);
    const auto ladder = rungs(subject, attack);
    const auto at = [&](const std::string& eps) {
      return result.metrics.at(fmt::format("{}.{}.{}", kind, attack, eps));
    };
    const bool balanced = kind == "balanced_robust_accuracy";
    std::vector<std::string> row{subject.name, std::to_string(at(ladder.at(0)).n),
                                 percent(result.metrics.at(balanced ? "balanced_accuracy" : "accuracy"))};
    for (const auto& eps : kLadder) {
      row.push_back(run_at(subject, attack, eps) ? percent(at(eps)) : "not run");
    }
    rows.push_back(row);
  }
  return table(title, head, rows);
}

std::string class_table(const std::vector<Subject>& subjects) {
  std::vector<std::string> head{"model"};
  std::vector<std::vector<std::string>> rows;
  for (const auto& subject : subjects) {
    for (const auto& entry : subject.ladder.tables.at("robustness")) {
      if (entry.at("attack") != "pgd" || entry.at("eps") != kMainEps) continue;
      std::vector<std::string> row{subject.name};
      for (size_t k = 0; k < entry.at("per_class").size(); ++k) {
        if (rows.empty()) head.push_back(entry.at("per_class").at(k).at("class").get<std::string>());
        const Metric kept = metric_from_json(entry.at("per_class").at(k).at("robust_accuracy"));
        const Metric given = metric_from_json(entry.at("answers").at(k).at("share"));
        row.push_back(fmt::format("{} of {}; answered {:.0f}", percent(kept), kept.n, 100 * given.value));
      }
      rows.push_back(row);
    }
  }
  return table(
      fmt::format("PGD-20 at {}: robust accuracy of each class (%), and how often it is answered (%)", kMainEps), head,
      rows);
}

std::string flip_table(const std::vector<Subject>& subjects) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& subject : subjects) {
    std::vector<std::string> row{subject.name};
    for (const auto& [key, result] : subject.flips) {
      const auto& success = result.metrics.at("success_8bit");
      if (result.metrics.at("confident_share").value == 0) {  // then the best face was attacked all the same
        row.push_back("none is so sure");
        continue;
      }
      row.push_back(fmt::format("{} of {}", percent(success), success.n));
    }
    const auto& minimal = subject.flips.at("8-0").metrics.at("median_minimal_eps");
    row.push_back(std::isfinite(minimal.value) ? fmt::format("{:.1f}/255", 255 * minimal.value) : "beyond the search");
    rows.push_back(row);
  }
  return table(
      "Happy turned Sad, read back from 8-bit files (%), and the median smallest eps that suffices",
      {"model", "4/255, all Happy", "4/255, over 0.9 sure", "8/255, all Happy", "8/255, over 0.9 sure", "median eps"},
      rows);
}

/// From the history of epochs beside the model; models without one are left out.
std::string training_table(const std::vector<Subject>& subjects) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& subject : subjects) {
    const auto history = history_beside(resolve_model(subject.ladder.model.at("model")));
    if (history.empty()) continue;
    const auto epochs = read_history(history);
    double seconds = 0;
    for (const auto& epoch : epochs) seconds += epoch.at("seconds").get<double>();
    rows.push_back({subject.name, std::to_string(epochs.size()), fmt::format("{:.0f}", seconds / 60)});
  }
  return rows.empty() ? "" : table("Training", {"model", "epochs", "minutes"}, rows);
}

std::string p_value(double p) {
  return p < 1e-99 ? "under 1e-99" : fmt::format("{:.2g}", p);
}

std::string paired_table(const std::vector<Subject>& subjects) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < subjects.size(); ++i) {
    for (size_t j = i + 1; j < subjects.size(); ++j) {
      for (const auto& attack : kAttacks) {
        if (!run_at(subjects[i], attack, kMainEps) || !run_at(subjects[j], attack, kMainEps)) continue;
        const auto first = outcomes(subjects[i], attack), second = outcomes(subjects[j], attack);
        const auto pairs = pair_outcomes(first, second);
        rows.push_back({subjects[i].name, subjects[j].name, attack, std::to_string(pairs.only_first),
                        std::to_string(pairs.only_second),
                        p_value(mcnemar_exact(pairs.only_first, pairs.only_second))});
      }
    }
  }
  return table(
      fmt::format("Pairs of models at {}: images that only one of them gets right; exact McNemar test", kMainEps),
      {"first", "second", "attack", "only the first", "only the second", "p"}, rows);
}

void write_tables(const fs::path& out, const std::vector<Subject>& subjects) {
  std::string text =
      "# Robustness\n\nFER2013 PublicTest, Linf, 8-bit images, seed 0; in brackets 95 % intervals. A face that the "
      "network gets "
      "wrong as it is counts as broken.\nMade by `experiments/robust-results.sh`.\n\n";
  for (const auto& attack : kAttacks) {
    text += accuracy_table(subjects, attack, "robust_accuracy", fmt::format("Robust accuracy under {} (%)", attack));
    text += accuracy_table(subjects, attack, "balanced_robust_accuracy",
                           fmt::format("Balanced robust accuracy under {} (%)", attack));
  }
  const Metric& constant = subjects.front().ladder.metrics.at("constant_answer_accuracy");
  text += fmt::format("Always giving the most frequent answer scores {} at any eps (n = {}).\n\n", percent(constant),
                      constant.n);
  text += class_table(subjects) + flip_table(subjects) + paired_table(subjects) + training_table(subjects);
  write_file(out / "robustness.md", text);
  nlohmann::json json = nlohmann::json::object();
  for (const auto& subject : subjects) {
    auto& entry = json[subject.name];
    entry["model"] = subject.ladder.model;
    for (const Result* result : {&subject.ladder, &subject.autoattack}) {
      for (const auto& [name, metric] : result->metrics) {
        const bool clean_of_part = result == &subject.autoattack && name.find("autoattack") == std::string::npos;
        if (!clean_of_part) entry["metrics"][name] = to_json(metric);
      }
    }
    for (const auto& [key, result] : subject.flips) {
      for (const auto& [name, metric] : result.metrics) entry["happy_to_sad"][key][name] = to_json(metric);
    }
  }
  write_file(out / "robustness.json", json.dump(2) + "\n");
  std::cout << text;
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
    std::vector<fercli::Subject> subjects;
    for (size_t i = 1; i < arguments.size(); ++i) subjects.push_back(fercli::read_subject(arguments[0], arguments[i]));
    fercli::write_tables(arguments[0], subjects);
  } catch (const std::exception& error) {
    std::cerr << "robust_table: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
