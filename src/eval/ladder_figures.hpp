#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/campaign/campaign.hpp"
#include "eval/result_shapes.hpp"

namespace fercli {

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

struct EpsPoint {
  double eps = 0;
  Metric robust_accuracy;
};

template <class Visitor>
void visit_fields(Visitor& field, EpsPoint& point) {
  field("eps", point.eps);
  field("robust_accuracy", point.robust_accuracy);
}

struct EpsQuantile {
  double q = 0, value = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, EpsQuantile& quantile) {
  field("q", quantile.q, "", shape::share());
  field("value", quantile.value, "null: beyond the search");
}

/// How small a perturbation suffices. `fercli eval` finds the first three.
struct MinimalEps {
  std::string attack;
  Metric median;
  std::vector<EpsPoint> curve;
  nlohmann::json settings;
  std::optional<int64_t> n, images;
  std::optional<std::vector<EpsQuantile>> quantiles;
};

template <class Visitor>
void visit_fields(Visitor& field, MinimalEps& found) {
  field.open();
  field("attack", found.attack);
  field("median", found.median);
  field("curve", found.curve);
  field.optional("settings", found.settings, "", shape::open_object({}));
  field.optional("n", found.n, "images that are classified rightly");
  field.optional("images", found.images, "");
  field.optional("quantiles", found.quantiles, "");
}

/// A class under one attack.
struct ClassUnderAttack {
  std::string name;
  std::vector<Metric> robust, predicted;
};

template <class Visitor>
void visit_fields(Visitor& field, ClassUnderAttack& entry) {
  field("class", entry.name);
  field("robust", entry.robust, "accuracy, at each eps");
  field("predicted", entry.predicted, "its share of the answers, at each eps");
}

struct LadderAttack {
  LadderCurves curves;
  nlohmann::json settings;
  int64_t forward = 0, backward = 0;
  std::optional<double> seconds;
  std::optional<std::vector<LadderStage>> stages;
  std::optional<std::vector<ClassUnderAttack>> by_class;
  std::optional<MinimalEps> minimal_eps;
};

template <class Visitor>
void visit_fields(Visitor& field, LadderAttack& attack) {
  visit_fields(field, attack.curves);
  field("settings", attack.settings, "as it ran, at the largest eps", shape::open_object({}));
  field("forward", attack.forward, "images through the network");
  field("backward", attack.backward, "gradients of an image");
  field.optional("seconds", attack.seconds, "in a report; `fercli eval` has them as timing");
  field.optional("stages", attack.stages, "of a cascade: those that broke an image");
  field.optional("by_class", attack.by_class, "under this attack alone");
  field.optional("minimal_eps", attack.minimal_eps, "of an attack that minimises the norm");
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
  std::optional<MinimalEps> minimal_eps;

  /// From all attacks together; `base.eps` is known.
  void set_classes(const std::vector<ClassUnderAttack>& worst_case);
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
  field.optional("goal", figures.goal, "absent: untargeted");
  field.optional("minimal_eps", figures.minimal_eps, "of the first attack that minimises the norm");
}

/// A campaign on an eps grid.
struct LadderRun {
  Trial plan;
  Ledger robustness;
};

Cost cost_of(const AttackRecord& record);

LadderFigures ladder_figures(const LadderRun& run, const LabelSet& classes);

/// What became of each image under each attack, but for restrictions. rows: of the run's images.
std::vector<AttackedRows> outcomes_of_attacks(const LadderRun& run, const std::vector<int64_t>& rows);

}  // namespace fercli
