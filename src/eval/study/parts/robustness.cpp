// FGSM and PGD on a grid of Linf eps, and whether the evaluation can be trusted.
#include "eval/sanity.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::robustness_study {

namespace {

/// Of PGD with twenty steps: an image that breaks does so after a few.
constexpr double kBrokenPasses = 16, kRobustPasses = 44, kSanityPasses = 32 * 220;

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"fgsm", "pgd"}, plan.ladder};
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  const double of_image = pilot.ladder_passes(Norm::Linf, plan.ladder, kBrokenPasses, kRobustPasses);
  return static_cast<double>(images) * of_image + kSanityPasses;
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  auto findings =
      ladder_findings(subject, run, Shape<LadderFigures>::write(ladder_figures(run, subject.images.classes)));
  findings.sanity = Shape<std::vector<SanityFlag>>::write(
      check_sanity(subject.model.search, subject.images, run.robustness, run.plan));
  return findings;
}

const Register<StudyPart> registered{{"robustness",
                                      20,
                                      "FGSM and PGD at each eps, checks of the evaluation",
                                      {options_of_ladder<ladder_of>, passes, measure, Shape<LadderFigures>::schema},
                                      {},
                                      {},
                                      /*attacks=*/true}};

}  // namespace

}  // namespace fercli::robustness_study
