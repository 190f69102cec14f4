#include "eval/study/parts/ladder.hpp"

#include "core/tensor_list.hpp"
#include "eval/result_shapes.hpp"
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

json curves(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  json entry = {{"name", record.name}};
  const int64_t right = run.robustness.right().sum().item<int64_t>();
  for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
    const auto counts = count_at(run.robustness, record, static_cast<int64_t>(budget), classes);
    entry["robust_accuracy"].push_back(to_json(accuracy(counts.confusion)));
    entry["balanced"].push_back(to_json(balanced_accuracy(counts.confusion)));
    entry["success"].push_back(to_json(proportion(counts.broken.sum().item<int64_t>(), right)));
  }
  return entry;
}

/// How many images each stage of a cascade broke, at each budget.
json stages(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  auto list = json::array();
  for (size_t stage = 0; stage < record.stages.size(); ++stage) {
    json entry = {{"name", record.stages[stage]}};
    int64_t all = 0;
    for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
      const auto broken = count_at(run.robustness, record, static_cast<int64_t>(budget), classes).broken;
      const auto here = broken.logical_and(record.stage.eq(static_cast<int64_t>(stage))).sum().item<int64_t>();
      entry["broken"].push_back(here);
      all += here;
    }
    // The variants of a cascade share one list of stages; those of the other variant never break anything.
    if (all > 0) list.push_back(std::move(entry));
  }
  return list;
}

json attack_entry(const LadderRun& run, const AttackRecord& record, int64_t classes) {
  json entry = curves(run, record, classes);
  entry["settings"] = record.settings;
  entry["seconds"] = sum(record.seconds);
  entry["forward"] = sum(record.forward);
  entry["backward"] = sum(record.backward);
  if (record.stages.size() > 1) entry["stages"] = stages(run, record, classes);
  return entry;
}

/// Per class and per answer, all attacks taken together.
void add_classes(json& figures, const LadderRun& run, const AttackRecord& worst, const LabelSet& classes) {
  for (const auto& name : classes.names()) figures["per_class"].push_back({{"class", name}});
  for (size_t budget = 0; budget < run.plan.ladder.size(); ++budget) {
    const auto counts = count_at(run.robustness, worst, static_cast<int64_t>(budget), classes.size());
    const auto scores = class_scores(counts.confusion);
    auto shares = json::array();
    for (size_t k = 0; k < scores.size(); ++k) {
      figures["per_class"][k]["robust"].push_back(to_json(scores[k].recall));
      shares.push_back(to_json(proportion(scores[k].precision.n, run.robustness.size())));
    }
    figures["share_predicted"].push_back(std::move(shares));
  }
}

/// -1: misclassified without an attack; else the first budget at which it breaks, or their number.
std::vector<int64_t> broken_list(const Ledger& robustness, const AttackRecord& record) {
  return list_of(record.broken.masked_fill(robustness.right().logical_not(), -1));
}

json outcomes(const StudySubject& subject, const LadderRun& run, const json& eps) {
  json document = {{"ids", ids_of(subject.images)}};
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

json ids_of(const Dataset& images) {
  return images.ids;
}

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

StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run) {
  const LabelSet& classes = subject.images.classes;
  json figures = {{"norm", to_string(run.plan.norm)}, {"n", run.robustness.size()}};
  for (const auto& budget : run.plan.ladder) {
    figures["eps"].push_back(budget.text);
    figures["eps_value"].push_back(budget.eps);
    figures["eps_levels"].push_back(describe_levels(run.plan.norm, budget.eps));
  }
  json cost = {{"forward", 0}, {"backward", 0}, {"seconds", 0.0}};
  for (const auto& record : run.robustness.attacks) {
    figures["attacks"].push_back(attack_entry(run, record, classes.size()));
    const json& entry = figures["attacks"].back();
    cost["forward"] = cost["forward"].get<int64_t>() + entry["forward"].get<int64_t>();
    cost["backward"] = cost["backward"].get<int64_t>() + entry["backward"].get<int64_t>();
    cost["seconds"] = cost["seconds"].get<double>() + entry["seconds"].get<double>();
  }
  const auto worst = run.robustness.worst();
  figures["worst"] = curves(run, worst, classes.size());
  add_classes(figures, run, worst, classes);
  const auto constant = constant_answer(run.robustness, classes.size());
  figures["constant_answer"] = to_json(constant.accuracy);
  figures["constant_answer"]["class"] = classes.name(constant.label);
  figures["constant_answer"]["balanced"] = constant.balanced;
  const json outcome = outcomes(subject, run, figures["eps"]);
  return {std::move(figures), outcome, {}, std::move(cost)};
}

shape::Members curves_members() {
  using namespace shape;
  const json of_eps = list(Shape<Metric>::schema());
  return {{"robust_accuracy", described(of_eps, "at each eps")},
          {"balanced", described(of_eps, "balanced accuracy under attack, at each eps")},
          {"success", described(of_eps, "of the images that are classified rightly, at each eps")}};
}

shape::Members attack_members() {
  using namespace shape;
  return joined(curves_members(), {{"name", text()},
                                   {"settings", described(open_object({}), "as it ran, at the largest eps")},
                                   {"forward", whole()},
                                   {"backward", whole()},
                                   {"seconds", number()}});
}

shape::Members stages_members() {
  using namespace shape;
  const json stage = object({{"name", text()}, {"broken", described(list(whole()), "images, at each eps")}});
  return {{"stages", described(list(stage), "of a cascade: those that broke an image")}};
}

shape::Members ladder_members() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  return {{"norm", text()},
          {"n", described(whole(), "images")},
          {"eps", described(list(text()), "as given, ascending")},
          {"eps_value", list(number())},
          {"per_class", described(list(object({{"class", text()}, {"robust", list(metric)}})),
                                  "accuracy at each eps, all attacks taken together")}};
}

json ladder_schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  return open_object(
      joined(ladder_members(),
             {{"attacks", list(open_object(attack_members(), stages_members()))},
              {"worst", described(open_object(curves_members()), "of all attacks together")},
              {"share_predicted", described(list(list(metric)), "at each eps, of each class, all attacks together")},
              {"constant_answer", described(open_object({{"value", share()}, {"class", text()}}),
                                            "accuracy of always answering the most frequent class")}}),
      {{"eps_levels", list(levels_schema())}, {"goal", described(text(), "in a report of a saved result")}});
}

}  // namespace fercli
