#include "eval/robustness_summary.hpp"

#include <fmt/format.h>

#include "core/tensor_list.hpp"
#include "core/text.hpp"
#include "eval/explanation.hpp"
#include "eval/measures/metrics.hpp"

namespace fercli {

namespace {

using nlohmann::json;

constexpr int64_t kCurvePoints = 33;

/// The metrics and the table entry of one attack at one budget.
void add_budget(Result& result, const Ledger& robustness, const AttackRecord& record, size_t budget, const Trial& plan,
                const LabelSet& classes) {
  const std::string eps = plan.ladder[budget].text, place = record.name + "." + eps;
  const auto confusion =
      confusion_matrix(robustness.labels, robustness.answers(record, static_cast<int64_t>(budget)), classes.size());
  const auto right = robustness.right();
  const auto broken = right.logical_and(record.broken.le(static_cast<int64_t>(budget)));
  result.metrics["robust_accuracy." + place] = accuracy(confusion);
  result.metrics["balanced_robust_accuracy." + place] = balanced_accuracy(confusion);
  result.metrics["attack_success." + place] = proportion(broken.sum().item<int64_t>(), right.sum().item<int64_t>());

  json entry = {{"attack", record.name}, {"eps", eps}, {"eps_value", plan.ladder[budget].eps}};
  if (plan.settings.pixel_grid) entry["eps_levels"] = describe_levels(plan.norm, plan.ladder[budget].eps);
  const auto scores = class_scores(confusion);
  for (size_t k = 0; k < scores.size(); ++k) {
    entry["per_class"].push_back({{"class", classes.names()[k]}, {"robust_accuracy", to_json(scores[k].recall)}});
    entry["answers"].push_back(
        {{"class", classes.names()[k]}, {"share", to_json(proportion(scores[k].precision.n, robustness.size()))}});
  }
  if (record.stages.size() > 1) {
    const auto stage = record.stage.masked_select(broken);
    for (size_t s = 0; s < record.stages.size(); ++s) {
      const auto count = stage.eq(static_cast<int64_t>(s)).sum().item<int64_t>();
      if (count > 0) entry["broken_by_stage"][record.stages[s]] = count;
    }
  }
  if (!record.forward.empty()) {
    entry["forward"] = record.forward[budget];
    entry["backward"] = record.backward[budget];
    result.timing["seconds." + place] = record.seconds[budget];
  }
  result.tables["robustness"].push_back(std::move(entry));
}

/// Where the curve of a minimum-norm attack has points: evenly from 0 to the largest eps, and at every eps of the
/// grid, where it equals the robust accuracy there.
std::vector<double> curve_eps(const std::vector<Budget>& ladder) {
  std::vector<double> eps;
  for (const auto& budget : ladder) eps.push_back(budget.eps);
  for (int64_t point = 0; point < kCurvePoints; ++point) {
    const double even = ladder.back().eps * static_cast<double>(point) / (kCurvePoints - 1);
    const bool known = std::any_of(ladder.begin(), ladder.end(), [&](const Budget& budget) {
      return std::abs(budget.eps - even) < 1e-9 * budget.eps;
    });
    if (!known) eps.push_back(even);
  }
  std::sort(eps.begin(), eps.end());
  return eps;
}

/// What a minimum-norm attack says beyond the eps grid.
void add_distances(Result& result, const Ledger& robustness, const AttackRecord& record, const Trial& plan) {
  const auto of_right = record.distance.masked_select(robustness.right());
  result.metrics["median_minimal_eps." + record.name] = median(list_of<double>(of_right));
  json curve = {{"attack", record.name}};
  for (const double eps : curve_eps(plan.ladder)) {
    const auto left = within(of_right, eps, plan.settings.pixel_grid).logical_not().sum().item<int64_t>();
    curve["points"].push_back({{"eps", eps}, {"robust_accuracy", to_json(proportion(left, robustness.size()))}});
  }
  result.tables["curves"].push_back(std::move(curve));
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
      json& image = result.per_image.at(static_cast<size_t>(robustness.rows[static_cast<size_t>(row)]));
      auto& list = image["answers"][record.name] = json::array();
      for (const auto& of_budget : answers) list.push_back(classes.name(of_budget[row].item<int64_t>()));
      image["distance"][record.name] = finite_or_null(record.distance[row].item<double>());
      const auto stage = record.stage[row].item<int64_t>();
      if (record.stages.size() > 1) {
        image["stage"][record.name] = stage < 0 ? json() : json(record.stages[static_cast<size_t>(stage)]);
      }
    }
  }
}

}  // namespace

ConstantAnswer constant_answer(const Ledger& robustness, int64_t classes) {
  const auto counts = confusion_matrix(robustness.labels, robustness.labels, classes).diagonal();
  const auto label = counts.argmax().item<int64_t>();
  return {label, proportion(counts[label].item<int64_t>(), robustness.size()),
          1.0 / static_cast<double>(counts.gt(0).sum().item<int64_t>())};
}

void add_robustness(Result& result, const Ledger& robustness, const Trial& plan, const LabelSet& classes) {
  result.tables["robustness"] = json::array();
  result.attacks = json::array();
  for (const auto& record : robustness.attacks) {
    for (size_t budget = 0; budget < plan.ladder.size(); ++budget) {
      add_budget(result, robustness, record, budget, plan, classes);
    }
    if (record.minimum_norm) add_distances(result, robustness, record, plan);
    result.attacks.push_back(record.settings);
  }
  auto worst = robustness.worst();
  worst.forward.clear();
  for (size_t budget = 0; budget < plan.ladder.size(); ++budget)
    add_budget(result, robustness, worst, budget, plan, classes);
  const auto constant = constant_answer(robustness, classes.size());
  result.metrics["constant_answer_accuracy"] = constant.accuracy;
  result.tables["constant_answer"] = {{"class", classes.name(constant.label)},
                                      {"accuracy", to_json(constant.accuracy)},
                                      {"balanced_accuracy", constant.balanced}};
  result.threat_model = {{"norm", to_string(plan.norm)},
                         {"goal", plan.goal.name},
                         {"n", robustness.size()},
                         {"pixel_grid", plan.settings.pixel_grid},
                         {"masked", plan.mask.defined()}};
  if (plan.mask.defined()) result.threat_model["mask"] = mask_digest(plan.mask);
  if (plan.surrogate.classifier) result.threat_model["surrogate"] = plan.surrogate.digest;
  for (const auto& budget : plan.ladder) {
    result.threat_model["eps"].push_back(budget.text);
    if (plan.settings.pixel_grid) result.threat_model["eps_levels"].push_back(describe_levels(plan.norm, budget.eps));
  }
  add_explanation(result, robustness, plan);
  add_images(result, robustness, classes);
}

}  // namespace fercli
