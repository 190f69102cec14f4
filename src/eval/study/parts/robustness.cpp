// FGSM and PGD on a grid of Linf eps, and whether the evaluation can be trusted.
#include "eval/sanity.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::robustness_study {

namespace {

using nlohmann::json;

/// Of PGD with twenty steps: an image that breaks does so after a few.
constexpr double kBrokenPasses = 16, kStandingPasses = 44, kSanityPasses = 32 * 220;

Dataset images(const StudyPlan&, const StudyModel& model) {
  return model.images;
}

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"fgsm", "pgd"}, plan.ladder};
}

json options(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  const double of_image = pilot.ladder_passes(Norm::Linf, plan.ladder, kBrokenPasses, kStandingPasses);
  return static_cast<double>(images) * of_image + kSanityPasses;
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  StudyFindings findings = ladder_findings(subject, run);
  findings.sanity = json::array();
  for (const auto& flag : check_sanity(subject.model.search, subject.images, run.robustness, run.plan)) {
    findings.sanity.push_back(to_json(flag));
  }
  return findings;
}

const Register<StudyPart> registered{{"robustness",
                                      20,
                                      "FGSM and PGD at each eps, checks of the evaluation",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      ladder_schema,
                                      {},
                                      {},
                                      true}};

}  // namespace

}  // namespace fercli::robustness_study
