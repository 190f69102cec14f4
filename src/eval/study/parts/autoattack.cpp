// AutoAttack on a grid of Linf eps.
#include "eval/sanity.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::autoattack_study {

namespace {

/// Figures of the one attack, beside those that do not depend on it.
struct CascadeFigures {
  LadderBase base;
  LadderAttack attack;
};

template <class Visitor>
void visit_fields(Visitor& field, CascadeFigures& figures) {
  visit_fields(field, figures.base);
  visit_fields(field, figures.attack);
}

/// APGD-CE and APGD-T at 100 steps for each of six classes, FAB-T, 5000 queries of Square.
constexpr double kBrokenPasses = 60, kRobustPasses = 8800;

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"autoattack"}, plan.autoattack_ladder};
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) *
         pilot.ladder_passes(Norm::Linf, plan.autoattack_ladder, kBrokenPasses, kRobustPasses);
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  const LabelSet& classes = subject.images.classes;
  LadderFigures all = ladder_figures(run, classes);
  all.attacks.front().by_class.reset();  // `per_class` is of this attack
  auto findings = ladder_findings(subject, run, Shape<CascadeFigures>::write({all.base, all.attacks.front()}));
  findings.sanity = Shape<std::vector<SanityFlag>>::write(compare_attacks(run.robustness, run.plan, classes.size()));
  return findings;
}

const Register<StudyPart> registered{{"autoattack",
                                      60,
                                      "the standard cascade on a subset",
                                      {options_of_ladder<ladder_of>, passes, measure, Shape<CascadeFigures>::schema},
                                      {images_parameter("60")},
                                      {{"images", "500"}},
                                      /*attacks=*/true}};

}  // namespace

}  // namespace fercli::autoattack_study
