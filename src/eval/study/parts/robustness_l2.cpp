// FGSM, PGD and AutoAttack in L2, on some of the images whose certified radius is computed.
#include "eval/measures/subset.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::robustness_l2_study {

namespace {

using nlohmann::json;

constexpr double kBrokenPasses = 80, kStandingPasses = 9000;

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("robustness.l2", "images"));
}

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::L2, {"fgsm", "pgd", "autoattack"}, plan.l2_ladder};
}

json options(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) * pilot.ladder_passes(Norm::L2, plan.l2_ladder, kBrokenPasses, kStandingPasses);
}

StudyFindings measure(const StudySubject& subject) {
  return ladder_findings(subject, run_ladder(subject, ladder_of(subject.plan)));
}

const Register<StudyPart> registered{{"robustness.l2",
                                      70,
                                      "the same and AutoAttack in L2",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      ladder_schema,
                                      {images_parameter("25")},
                                      {{"images", "100"}},
                                      true}};

}  // namespace

}  // namespace fercli::robustness_l2_study
