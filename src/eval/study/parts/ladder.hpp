#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/study/part.hpp"

namespace fercli {

/// Attacks on an eps grid, with their default settings unless `settings` says otherwise.
struct LadderPlan {
  Norm norm;
  std::vector<std::string> attacks;
  std::vector<Budget> ladder;
  AttackSettings settings = {};
};

/// What an attack leaves, at each eps.
struct LadderCurves {
  std::vector<Metric> robust_accuracy, balanced, success;
  std::string name;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderCurves& curves) {
  field.open();
  field("robust_accuracy", curves.robust_accuracy, "at each eps");
  field("balanced", curves.balanced, "balanced accuracy under attack, at each eps");
  field("success", curves.success, "of the images that are classified rightly, at each eps");
  field("name", curves.name);
}

/// A stage of a cascade.
struct LadderStage {
  std::string name;
  std::vector<int64_t> broken;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderStage& stage) {
  field("name", stage.name);
  field("broken", stage.broken, "images, at each eps");
}

struct LadderAttack {
  LadderCurves curves;
  nlohmann::json settings;
  Cost cost;
  std::optional<std::vector<LadderStage>> stages;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderAttack& attack) {
  visit_fields(field, attack.curves);
  field("settings", attack.settings, "as it ran, at the largest eps", shape::open_object({}));
  field("forward", attack.cost.forward);
  field("backward", attack.cost.backward);
  field("seconds", attack.cost.seconds);
  field.optional("stages", attack.stages, "of a cascade: those that broke an image");
}

struct LadderClass {
  std::string name;
  std::vector<Metric> robust;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderClass& entry) {
  field("class", entry.name);
  field("robust", entry.robust);
}

/// What does not depend on the attacks, and the classes under all of them.
struct LadderBase {
  std::string norm;
  int64_t n = 0;
  std::vector<std::string> eps;
  std::vector<double> eps_value;
  std::vector<LadderClass> per_class;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderBase& base) {
  field.open();
  field("norm", base.norm);
  field("n", base.n, "images");
  field("eps", base.eps, "as given, ascending");
  field("eps_value", base.eps_value);
  field("per_class", base.per_class, "accuracy at each eps, all attacks taken together");
}

/// Figures of attacks on a ladder.
struct LadderFigures {
  LadderBase base;
  std::vector<LadderAttack> attacks;
  LadderCurves worst;
  std::vector<std::vector<Metric>> share_predicted;
  nlohmann::json constant_answer;  ///< a Metric with "class" and "balanced"
  nlohmann::json levels;           ///< `describe_levels` of each eps
  std::optional<std::string> goal;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderFigures& figures) {
  using namespace shape;
  visit_fields(field, figures.base);
  field("attacks", figures.attacks);
  field("worst", figures.worst, "of all attacks together");
  field("share_predicted", figures.share_predicted, "at each eps, of each class, all attacks together");
  field("constant_answer", figures.constant_answer, "accuracy of always answering the most frequent class",
        open_object({{"value", share()}, {"class", text()}}));
  field.optional("eps_levels", figures.levels, "", list(levels_schema()));
  field.optional("goal", figures.goal, "in a report of a saved result");
}

/// A campaign on the subject's images.
struct LadderRun {
  Trial plan;
  Ledger robustness;
};
LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder);

LadderFigures ladder_figures(const LadderRun& run, const LabelSet& classes);

/// These figures, with outcomes and cost of the run.
StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run, nlohmann::json figures);

/// What figures depend on.
nlohmann::json ladder_options(const LadderPlan& ladder);

/// The same for StudyPart::Work::options.
template <LadderPlan (*ladder_of)(const StudyPlan& plan)>
nlohmann::json options_of_ladder(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

}  // namespace fercli
