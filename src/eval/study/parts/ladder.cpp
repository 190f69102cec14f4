#include "eval/study/parts/ladder.hpp"

#include "core/tensor_list.hpp"
#include "eval/robustness_summary.hpp"

namespace fercli {

using nlohmann::json;

namespace {

/// Everything that one attack gives at one budget.
struct BudgetCounts {
  torch::Tensor confusion;  ///< of the answers under attack
  torch::Tensor broken;     ///< (M) bool
};

BudgetCounts count_at(const Ledger& robustness, const AttackRecord& record, int64_t budget, int64_t classes) {
  return {confusion_matrix(robustness.labels, robustness.answers(record, budget), classes),
          robustness.right().logical_and(record.broken.le(budget))};
}

template <class Number>
Number sum(const std::vector<Number>& values) {
  Number total = 0;
  for (const Number value : values) total += value;
  return total;
}

Cost cost_of(const AttackRecord& record) {
  return {sum(record.forward), sum(record.backward), sum(record.seconds)};
}

LadderCurves curves(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  LadderCurves curves;
  curves.name = record.name;
  const int64_t right = run.robustness.right().sum().item<int64_t>();
  for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
    const auto counts = count_at(run.robustness, record, static_cast<int64_t>(budget), classes);
    curves.robust_accuracy.push_back(accuracy(counts.confusion));
    curves.balanced.push_back(balanced_accuracy(counts.confusion));
    curves.success.push_back(proportion(counts.broken.sum().item<int64_t>(), right));
  }
  return curves;
}

/// How many images each stage of a cascade broke, at each budget.
std::vector<LadderStage> stages(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  std::vector<LadderStage> list;
  for (size_t stage = 0; stage < record.stages.size(); ++stage) {
    LadderStage entry{record.stages[stage], {}};
    for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
      const auto broken = count_at(run.robustness, record, static_cast<int64_t>(budget), classes).broken;
      entry.broken.push_back(broken.logical_and(record.stage.eq(static_cast<int64_t>(stage))).sum().item<int64_t>());
    }
    // The variants of a cascade share one list of stages; those of the other variant never break anything.
    if (sum(entry.broken) > 0) list.push_back(std::move(entry));
  }
  return list;
}

LadderAttack attack_entry(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  LadderAttack entry{curves(run, record, classes), record.settings, cost_of(record), {}};
  if (record.stages.size() > 1) entry.stages = stages(run, record, classes);
  return entry;
}

/// Per class and per answer, all attacks taken together.
void add_classes(LadderFigures& figures, const LadderRun& run, const AttackRecord& worst, const LabelSet& classes) {
  for (const auto& name : classes.names()) figures.base.per_class.push_back({name, {}});
  for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
    const auto counts = count_at(run.robustness, worst, static_cast<int64_t>(budget), classes.size());
    const auto scores = class_scores(counts.confusion);
    auto& shares = figures.share_predicted.emplace_back();
    for (size_t k = 0; k < scores.size(); ++k) {
      figures.base.per_class[k].robust.push_back(scores[k].recall);
      shares.push_back(proportion(scores[k].precision.n, run.robustness.size()));
    }
  }
}

/// -1: misclassified without an attack; else the first budget at which it breaks, or their number.
std::vector<int64_t> broken_list(const Ledger& robustness, const AttackRecord& record) {
  return list_of(record.broken.masked_fill(robustness.right().logical_not(), -1));
}

json outcomes(const StudySubject& subject, const LadderRun& run) {
  json document = {{"ids", subject.images.ids}}, eps;
  for (const auto& budget : run.plan.ladder) eps.push_back(budget.text);
  for (const auto& record : run.robustness.attacks) {
    document["attacks"].push_back({{"attack", record.name},
                                   {"norm", to_string(run.plan.norm)},
                                   {"eps", eps},
                                   {"settings", record.settings},
                                   {"broken", broken_list(run.robustness, record)}});
  }
  return document;
}

}  // namespace

json ladder_options(const LadderPlan& ladder) {
  json options = {{"norm", to_string(ladder.norm)}, {"attacks", json::array()}};
  for (const auto& budget : ladder.ladder) options["eps"].push_back(budget.text);
  for (const auto& name : ladder.attacks) {
    // With the precision that the attack allows, so that figures from before it was decided are not taken for today's.
    options["attacks"].push_back(make_attack(name, ladder.settings, ladder.norm, false)
                                     ->describe_on(Precision::BFloat16, {ladder.norm, ladder.ladder.back().eps}));
  }
  return options;
}

LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder) {
  LadderRun run;
  run.plan.attacks = ladder.attacks;
  run.plan.ladder = ladder.ladder;
  run.plan.norm = ladder.norm;
  run.plan.goal = parse_emotion_goal("untargeted", subject.images.classes);
  run.plan.settings = ladder.settings;
  run.plan.settings.batch_size = subject.plan.batch_size;
  run.plan.seed = subject.plan.seed;
  run.robustness = run_part(subject, run.plan);
  return run;
}

LadderFigures ladder_figures(const LadderRun& run, const LabelSet& classes) {
  LadderFigures figures;
  figures.base.norm = to_string(run.plan.norm);
  figures.base.n = run.robustness.size();
  for (const auto& budget : run.plan.ladder) {
    figures.base.eps.push_back(budget.text);
    figures.base.eps_value.push_back(budget.eps);
    figures.levels.push_back(describe_levels(run.plan.norm, budget.eps));
  }
  for (const auto& record : run.robustness.attacks)
    figures.attacks.push_back(attack_entry(run, record, classes.size()));
  const auto worst = run.robustness.worst();
  figures.worst = curves(run, worst, classes.size());
  add_classes(figures, run, worst, classes);
  const auto constant = constant_answer(run.robustness, classes.size());
  figures.constant_answer = to_json(constant.accuracy);
  figures.constant_answer["class"] = classes.name(constant.label);
  figures.constant_answer["balanced"] = constant.balanced;
  return figures;
}

StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run, json figures) {
  Cost cost;
  for (const auto& record : run.robustness.attacks) cost += cost_of(record);
  return {std::move(figures), Shape<Cost>::write(cost), outcomes(subject, run)};
}

}  // namespace fercli
