// FGSM, PGD and AutoAttack in L2, on some of the images whose certified radius is computed.
#include "eval/study/parts/ladder.hpp"

namespace fercli::robustness_l2_study {

namespace {

constexpr double kBrokenPasses = 80, kRobustPasses = 9000;

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::L2, {"fgsm", "pgd", "autoattack"}, plan.l2_ladder};
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) * pilot.ladder_passes(Norm::L2, plan.l2_ladder, kBrokenPasses, kRobustPasses);
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  return ladder_findings(subject, run, Shape<LadderFigures>::write(ladder_figures(run, subject.images.classes)));
}

const Register<StudyPart> registered{{"robustness.l2",
                                      70,
                                      "the same and AutoAttack in L2",
                                      {options_of_ladder<ladder_of>, passes, measure, Shape<LadderFigures>::schema},
                                      {images_parameter("25")},
                                      {{"images", "100"}},
                                      /*attacks=*/true}};

}  // namespace

}  // namespace fercli::robustness_l2_study
