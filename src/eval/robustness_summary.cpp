#include "eval/robustness_summary.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "eval/explanation.hpp"

namespace fercli {

namespace {

using nlohmann::json;

constexpr size_t kDigestDigits = 8;

/// The first digits of each network's digest, and how they were joined.
std::string short_digest(const std::string& digest) {
  const size_t joining = std::min(digest.find(':'), digest.size());
  std::vector<std::string> networks;
  for (const auto& network : split(digest.substr(0, joining), '+'))
    networks.push_back(network.substr(0, kDigestDigits));
  return join(networks, "+") + digest.substr(joining);
}

/// The metrics of one attack, or of all together, at each eps.
void add_metrics(Result& result, const LadderBase& base, const LadderCurves& curves) {
  for (size_t budget = 0; budget < base.eps.size(); ++budget) {
    const std::string place = curves.name + "." + base.eps[budget];
    result.metrics["robust_accuracy." + place] = curves.robust_accuracy[budget];
    result.metrics["balanced_robust_accuracy." + place] = curves.balanced[budget];
    result.metrics["attack_success." + place] = curves.success[budget];
  }
}

void add_figures(Result& result, const LadderFigures& figures) {
  result.attacks = json::array();
  for (const auto& attack : figures.attacks) {
    add_metrics(result, figures.base, attack.curves);
    if (attack.minimal_eps) result.metrics["median_minimal_eps." + attack.curves.name] = attack.minimal_eps->median;
    result.attacks.push_back(attack.settings);
  }
  add_metrics(result, figures.base, figures.worst);
  result.metrics["constant_answer_accuracy"] = metric_from_json(figures.constant_answer);
  result.parts["robustness"][result.model_name()] = Shape<LadderFigures>::write(figures);
}

void add_times(Result& result, const LadderRun& run) {
  for (const auto& record : run.robustness.attacks) {
    for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget)
      result.timing[fmt::format("seconds.{}.{}", record.name, run.plan.ladder[budget].text)] = record.seconds[budget];
  }
}

void add_threat_model(Result& result, const Trial& plan, int64_t images) {
  result.threat_model = {{"norm", to_string(plan.norm)},
                         {"goal", plan.goal.name},
                         {"n", images},
                         {"pixel_grid", plan.settings.pixel_grid},
                         {"masked", plan.mask.defined()}};
  if (plan.mask.defined()) result.threat_model["mask"] = mask_digest(plan.mask);
  if (plan.surrogate.classifier) result.threat_model["surrogate"] = plan.surrogate.digest;
  for (const auto& budget : plan.ladder) {
    result.threat_model["eps"].push_back(budget.text);
    if (plan.settings.pixel_grid) result.threat_model["eps_levels"].push_back(describe_levels(plan.norm, budget.eps));
  }
}

void add_outcomes(Result& result, const LadderRun& run) {
  auto& outcomes = result.outcomes[result.model_name()];
  for (auto& attacked : outcomes_of_attacks(run, run.robustness.rows)) {
    attacked.restrictions = restrictions_of(result.threat_model);
    outcomes.attacks.push_back(std::move(attacked));
  }
}

/// Which stage broke how much at which cost, and how near the minimum-norm attacks come to the best of all.
void add_explanation(Result& result, const Ledger& robustness, const Trial& plan) {
  std::vector<StageReport> stages;
  for (const auto& record : robustness.attacks) {
    for (auto& report : stage_reports(record, plan.ladder)) stages.push_back(std::move(report));
  }
  result.tables["stages"] = Shape<std::vector<StageReport>>::write(stages);
  const auto optimality = optimality_of(robustness);
  if (optimality.empty()) return;
  result.tables["optimality"] = Shape<std::vector<AttackOptimality>>::write(optimality);
}

void add_images(Result& result, const Ledger& robustness, const LabelSet& classes) {
  for (const auto& record : robustness.attacks) {
    std::vector<torch::Tensor> answers;
    for (int64_t budget = 0; budget < record.budgets(); ++budget) answers.push_back(robustness.answers(record, budget));
    for (int64_t row = 0; row < robustness.size(); ++row) {
      ImageFigures& image = result.per_image.at(static_cast<size_t>(robustness.rows[static_cast<size_t>(row)]));
      auto& list = image.answers[record.name];
      for (const auto& of_budget : answers) list.push_back(classes.name(of_budget[row].item<int64_t>()));
      image.distance[record.name] = record.distance[row].item<double>();
      const auto stage = record.stage[row].item<int64_t>();
      if (record.stages.size() > 1) {
        auto& found = image.stage[record.name];
        if (stage >= 0) found = record.stages[static_cast<size_t>(stage)];
      }
    }
  }
}

}  // namespace

Restrictions restrictions_of(const json& threat_model) {
  Restrictions found;
  if (threat_model.at("goal") != "untargeted") found.goal = threat_model["goal"].get<std::string>();
  if (threat_model.value("masked", false)) found.mask = threat_model.value("mask", "unknown");
  if (threat_model.contains("surrogate")) found.surrogate = threat_model["surrogate"].get<std::string>();
  if (!threat_model.value("pixel_grid", true)) found.pixel_grid = false;
  return found;
}

std::vector<std::pair<std::string, std::string>> describe_restrictions(const Restrictions& restrictions) {
  static const std::string kDraws = ":eot ";  // as AttackOptions::image_maker writes them, with the seed last
  std::vector<std::pair<std::string, std::string>> found;
  if (restrictions.goal) found.emplace_back("goal", *restrictions.goal);
  if (restrictions.mask) found.emplace_back("mask", short_digest(*restrictions.mask));
  if (restrictions.surrogate) {
    const std::string& maker = *restrictions.surrogate;
    const size_t eot = maker.find(kDraws), draws = eot + kDraws.size();
    if (eot != 0) found.emplace_back("surrogate", short_digest(maker.substr(0, eot)));
    if (eot != std::string::npos) found.emplace_back("eot", maker.substr(draws, maker.rfind(' ') - draws));
  }
  if (!restrictions.pixel_grid.value_or(true)) found.emplace_back("pixel_grid", "");
  return found;
}

std::string restriction_words(const Restrictions& restrictions) {
  std::string words;
  for (const auto& [kind, value] : describe_restrictions(restrictions)) {
    words += kind == "goal" ? " " + value : kind == "pixel_grid" ? " off the grid" : fmt::format(" {} {}", kind, value);
  }
  return words;
}

std::string restriction_clause(const Restrictions& restrictions) {
  const auto words = restriction_words(restrictions);
  return words.empty() ? words : "," + words;
}

std::optional<LadderFigures> robustness_of(const Result& result) {
  if (!result.parts.is_object() || !result.parts.contains("robustness")) return {};
  const json& of_models = result.parts["robustness"];
  if (!of_models.contains(result.model_name())) return {};
  return Shape<LadderFigures>::read(of_models.at(result.model_name()));
}

LadderFigures add_robustness(Result& result, const LadderRun& run, const LabelSet& classes) {
  LadderFigures figures = ladder_figures(run, classes);
  for (auto& attack : figures.attacks) attack.seconds.reset();  // `timing` has them
  add_figures(result, figures);
  add_times(result, run);
  add_threat_model(result, run.plan, run.robustness.size());
  add_outcomes(result, run);
  add_explanation(result, run.robustness, run.plan);
  add_images(result, run.robustness, classes);
  return figures;
}

}  // namespace fercli
