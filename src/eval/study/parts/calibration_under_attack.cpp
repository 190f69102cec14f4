// Is the network still sure of itself on adversarial images?
#include "core/clock.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/evaluate.hpp"
#include "eval/study/part.hpp"

namespace fercli::calibration_under_attack_study {

namespace {

using nlohmann::json;

struct AttackedCalibration {
  AttackedAt at;
  int64_t n = 0;
  std::map<std::string, Metric> clean, attacked;
  std::vector<ReliabilityBin> reliability, reliability_clean;
};

template <class Visitor>
void visit_fields(Visitor& field, AttackedCalibration& found) {
  visit_fields(field, found.at);
  field("n", found.n);
  field("clean", found.clean, "of the images as they are");
  field("attacked", found.attacked, "of the adversarial images");
  field("reliability", found.reliability, "under attack");
  field("reliability_clean", found.reliability_clean);
}

constexpr double kPasses = 45;

json options(const StudyPlan& plan) {
  return {{"eps", plan.at.text}};
}

double passes(const StudyPlan&, int64_t images, const Pilot&) {
  return static_cast<double>(images) * kPasses;
}

/// PGD that goes on after its first success to the end of its budget: an adversary who wants the network to be sure.
Trial insistent_pgd(const StudyPlan& plan) {
  Trial trial;
  trial.attacks = {"pgd"};
  trial.ladder = {plan.at};
  trial.goal.name = "untargeted";
  trial.settings.confidence = 2;
  trial.settings.batch_size = plan.batch_size;
  trial.seed = plan.seed;
  trial.misclassified_too = true;
  return trial;
}

std::map<std::string, Metric> calibration(const Outcomes& outcomes, const Rng& rng) {
  return {{"accuracy", accuracy(confusion_matrix(outcomes, outcomes.probabilities.size(1)))},
          {"ece", expected_calibration_error(outcomes)},
          {"ece_if_calibrated", calibrated_ece(outcomes, rng)},
          {"brier", brier_score(outcomes)},
          {"nll", negative_log_likelihood(outcomes)},
          {"mean_confidence", bounded_mean(list_of<double>(outcomes.probabilities.amax(1)), 1)}};
}

StudyFindings measure(const StudySubject& subject) {
  const auto start = Clock::now();
  const Dataset& images = subject.images;
  const Rng rng = Rng(subject.plan.seed).split("calibration");
  const Outcomes clean{predict(subject.model.judge, images, subject.plan.batch_size, subject.observer).probabilities,
                       images.labels};
  const Ledger ledger = run_part(subject, insistent_pgd(subject.plan), predicted_classes(clean.probabilities));
  const AttackRecord& record = ledger.attacks.front();
  const auto verdict =
      verdict_on_stored(subject.model.judge, record.adversarial, Goal::untargeted(images.labels), subject.observer);
  const Outcomes attacked{verdict.probabilities, images.labels};
  // Other processes may have attacked, so the network's own counters do not tell.
  const Cost cost{record.forward.front() + 2 * images.size(), record.backward.front(), seconds_since(start)};
  return StudyFindings::of(AttackedCalibration{{subject.plan.at.text, subject.plan.at.eps, record.settings},
                                               images.size(),
                                               calibration(clean, rng.split("clean")),
                                               calibration(attacked, rng.split("attacked")),
                                               reliability(attacked),
                                               reliability(clean)},
                           cost);
}

const Register<StudyPart> registered{{"calibration_under_attack",
                                      85,
                                      "is the network sure of its errors",
                                      {options, passes, measure, Shape<AttackedCalibration>::schema},
                                      {images_parameter("150")},
                                      {{"images", "1000"}},
                                      /*attacks=*/true}};

}  // namespace

}  // namespace fercli::calibration_under_attack_study
