// AutoAttack on a grid of Linf eps.
#include "eval/measures/subset.hpp"
#include "eval/sanity.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::autoattack_study {

namespace {

using nlohmann::json;

/// APGD-CE and APGD-T at 100 steps for each of six classes, FAB-T, 5000 queries of Square.
constexpr double kBrokenPasses = 60, kStandingPasses = 8800;

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("autoattack", "images"));
}

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"autoattack"}, plan.autoattack_ladder};
}

json options(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

double passes(const StudyPlan& plan, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) *
         pilot.ladder_passes(Norm::Linf, plan.autoattack_ladder, kBrokenPasses, kStandingPasses);
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  StudyFindings findings = ladder_findings(subject, run);
  json figures = std::move(findings.figures["attacks"][0]);
  for (const char* key : {"norm", "n", "eps", "eps_value", "per_class"}) figures[key] = findings.figures[key];
  findings.figures = std::move(figures);
  findings.sanity = json::array();
  for (const auto& flag : compare_attacks(run.robustness, run.plan, subject.images.classes.size())) {
    findings.sanity.push_back(to_json(flag));
  }
  return findings;
}

json schema() {
  return shape::open_object(shape::joined(ladder_members(), attack_members()), stages_members());
}

const Register<StudyPart> registered{{"autoattack",
                                      60,
                                      "the standard cascade on a subset",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      schema,
                                      {images_parameter("60")},
                                      {{"images", "500"}},
                                      true}};

}  // namespace

}  // namespace fercli::autoattack_study
