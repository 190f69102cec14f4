#include "eval/ladder_figures.hpp"

#include "core/tensor_list.hpp"

namespace fercli {

using nlohmann::json;

namespace {

constexpr int64_t kCurvePoints = 33;
constexpr const char* kUntargeted = "untargeted";

/// Everything that one attack gives at one budget.
struct BudgetCounts {
  torch::Tensor confusion;  ///< of the answers under attack
  torch::Tensor broken;     ///< (M) bool
};

/// At each budget.
std::vector<BudgetCounts> counts_of(const LadderRun& run, const AttackRecord& record, const LabelSet& classes) {
  const Ledger& robustness = run.robustness;
  const auto right = robustness.right();
  std::vector<BudgetCounts> counts;
  for (int64_t budget = 0; budget < static_cast<int64_t>(run.plan.ladder.size()); ++budget) {
    counts.push_back({confusion_matrix(robustness.labels, robustness.answers(record, budget), classes.size()),
                      right.logical_and(record.broken.le(budget))});
  }
  return counts;
}

template <class Number>
Number sum(const std::vector<Number>& values) {
  Number total = 0;
  for (const Number value : values) total += value;
  return total;
}

LadderCurves curves(const LadderRun& run, const AttackRecord& record, const std::vector<BudgetCounts>& counts) {
  LadderCurves curves;
  curves.name = record.name;
  const int64_t right = run.robustness.right().sum().item<int64_t>();
  for (const auto& at_budget : counts) {
    curves.robust_accuracy.push_back(accuracy(at_budget.confusion));
    curves.balanced.push_back(balanced_accuracy(at_budget.confusion));
    curves.success.push_back(proportion(at_budget.broken.sum().item<int64_t>(), right));
  }
  return curves;
}

/// How many images each stage of a cascade broke, at each budget.
std::vector<LadderStage> stages(const AttackRecord& record, const std::vector<BudgetCounts>& counts) {
  std::vector<LadderStage> list;
  for (size_t stage = 0; stage < record.stages.size(); ++stage) {
    LadderStage entry{record.stages[stage], {}};
    const auto of_stage = record.stage.eq(static_cast<int64_t>(stage));
    for (const auto& at_budget : counts)
      entry.broken.push_back(at_budget.broken.logical_and(of_stage).sum().item<int64_t>());
    // The variants of a cascade share one list of stages; those of the other variant never break anything.
    if (sum(entry.broken) > 0) list.push_back(std::move(entry));
  }
  return list;
}

/// Of each class: accuracy and share of the answers, at each budget.
std::vector<ClassUnderAttack> by_class(const std::vector<BudgetCounts>& counts, const LabelSet& classes,
                                       int64_t images) {
  std::vector<ClassUnderAttack> list;
  for (const auto& name : classes.names()) list.push_back({name, {}, {}});
  for (const auto& at_budget : counts) {
    const auto scores = class_scores(at_budget.confusion);
    for (size_t k = 0; k < scores.size(); ++k) {
      list[k].robust.push_back(scores[k].recall);
      list[k].predicted.push_back(proportion(scores[k].precision.n, images));
    }
  }
  return list;
}

/// Where the curve of a minimum-norm attack has points: evenly from 0 to the largest eps, and at every eps of the
/// grid, where it equals the robust accuracy there.
std::vector<double> curve_eps(const std::vector<Budget>& ladder) {
  std::vector<double> eps;
  eps.reserve(ladder.size() + kCurvePoints);
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

MinimalEps minimal_eps(const LadderRun& run, const AttackRecord& record) {
  const auto of_right = record.distance.masked_select(run.robustness.right());
  MinimalEps found;
  found.attack = record.name;
  found.median = median(list_of<double>(of_right));
  for (const double eps : curve_eps(run.plan.ladder)) {
    const auto left = within(of_right, eps, run.plan.settings.pixel_grid).logical_not().sum().item<int64_t>();
    found.curve.push_back({eps, proportion(left, run.robustness.size())});
  }
  return found;
}

LadderAttack attack_entry(const LadderRun& run, const AttackRecord& record, const LabelSet& classes) {
  LadderAttack entry;
  const auto counts = counts_of(run, record, classes);
  entry.curves = curves(run, record, counts);
  entry.settings = record.settings;
  const Cost cost = cost_of(record);
  entry.forward = cost.forward;
  entry.backward = cost.backward;
  entry.seconds = cost.seconds;
  entry.by_class = by_class(counts, classes, run.robustness.size());
  if (record.stages.size() > 1) entry.stages = stages(record, counts);
  if (record.minimum_norm) entry.minimal_eps = minimal_eps(run, record);
  return entry;
}

/// Always giving one answer is robust at any eps: what that alone would score on these images. A Metric with "class",
/// the most frequent one, and "balanced", 1 / classes that have images.
json constant_answer(const Ledger& robustness, const LabelSet& classes) {
  const auto counts = confusion_matrix(robustness.labels, robustness.labels, classes.size()).diagonal();
  const auto label = counts.argmax().item<int64_t>();
  json answer = to_json(proportion(counts[label].item<int64_t>(), robustness.size()));
  answer["class"] = classes.name(label);
  answer["balanced"] = 1.0 / static_cast<double>(counts.gt(0).sum().item<int64_t>());
  return answer;
}

/// -1: misclassified without an attack; else the first budget at which it breaks, or their number.
std::vector<int64_t> broken_list(const Ledger& robustness, const AttackRecord& record) {
  return list_of(record.broken.masked_fill(robustness.right().logical_not(), -1));
}

}  // namespace

Cost cost_of(const AttackRecord& record) {
  return {sum(record.forward), sum(record.backward), sum(record.seconds)};
}

void LadderFigures::set_classes(const std::vector<ClassUnderAttack>& worst_case) {
  share_predicted.resize(base.eps.size());
  for (const auto& found : worst_case) {
    base.per_class.push_back({found.name, found.robust});
    for (size_t budget = 0; budget < found.predicted.size(); ++budget)
      share_predicted.at(budget).push_back(found.predicted[budget]);
  }
}

LadderFigures ladder_figures(const LadderRun& run, const LabelSet& classes) {
  LadderFigures figures;
  figures.base.norm = to_string(run.plan.norm);
  figures.base.n = run.robustness.size();
  for (const auto& budget : run.plan.ladder) {
    figures.base.eps.push_back(budget.text);
    figures.base.eps_value.push_back(budget.eps);
    if (run.plan.settings.pixel_grid) figures.levels.push_back(describe_levels(run.plan.norm, budget.eps));
  }
  if (run.plan.goal.name != kUntargeted) figures.goal = run.plan.goal.name;
  for (const auto& record : run.robustness.attacks) {
    figures.attacks.push_back(attack_entry(run, record, classes));
    if (!figures.minimal_eps) figures.minimal_eps = figures.attacks.back().minimal_eps;
  }
  const auto worst = run.robustness.worst();
  const auto counts = counts_of(run, worst, classes);
  figures.worst = curves(run, worst, counts);
  figures.set_classes(by_class(counts, classes, run.robustness.size()));
  figures.constant_answer = constant_answer(run.robustness, classes);
  return figures;
}

std::vector<AttackedRows> outcomes_of_attacks(const LadderRun& run, const std::vector<int64_t>& rows) {
  std::vector<std::string> eps;
  for (const auto& budget : run.plan.ladder) eps.push_back(budget.text);
  std::vector<AttackedRows> list;
  for (const auto& record : run.robustness.attacks) {
    const auto broken = broken_list(run.robustness, record);
    list.push_back({record.name, to_string(run.plan.norm), eps, rows, broken, record.settings, {}});
  }
  return list;
}

}  // namespace fercli
