// Is the network still sure of itself on adversarial images?
#include "core/clock.hpp"
#include "core/tensor_list.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/subset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/part.hpp"

namespace fercli::calibration_under_attack_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 45;

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("calibration_under_attack", "images"));
}

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

json calibration(const Outcomes& outcomes, const Rng& rng) {
  return {{"accuracy", to_json(accuracy(confusion_matrix(outcomes, outcomes.probabilities.size(1))))},
          {"ece", to_json(expected_calibration_error(outcomes))},
          {"ece_if_calibrated", to_json(calibrated_ece(outcomes, rng))},
          {"brier", to_json(brier_score(outcomes))},
          {"nll", to_json(negative_log_likelihood(outcomes))},
          {"mean_confidence", to_json(bounded_mean(list_of<double>(outcomes.probabilities.amax(1)), 1))}};
}

json reliability_table(const Outcomes& outcomes) {
  auto table = json::array();
  for (const auto& bin : reliability(outcomes)) {
    table.push_back({{"low", bin.low},
                     {"high", bin.high},
                     {"confidence", bin.accuracy.n > 0 ? json(bin.confidence) : json()},
                     {"accuracy", to_json(bin.accuracy)},
                     {"n", bin.accuracy.n}});
  }
  return table;
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
      judge_stored(subject.model.judge, record.adversarial, Goal::untargeted(images.labels), subject.observer);
  const Outcomes attacked{verdict.probabilities, images.labels};
  // Other processes may have attacked, so the network's own counters do not tell.
  const json cost = {{"forward", record.forward.front() + 2 * images.size()},
                     {"backward", record.backward.front()},
                     {"seconds", seconds_since(start)}};
  return {{{"eps", subject.plan.at.text},
           {"eps_value", subject.plan.at.eps},
           {"attack", record.settings},
           {"n", images.size()},
           {"clean", calibration(clean, rng.split("clean"))},
           {"attacked", calibration(attacked, rng.split("attacked"))},
           {"reliability", reliability_table(attacked)},
           {"reliability_clean", reliability_table(clean)}},
          {},
          {},
          cost};
}

json schema() {
  using namespace shape;
  const json metrics = map_of(Shape<Metric>::schema());
  return open_object(joined(attacked_at(), {{"n", whole()},
                                            {"clean", described(metrics, "of the images as they are")},
                                            {"attacked", described(metrics, "of the adversarial images")},
                                            {"reliability", described(reliability_schema(), "under attack")},
                                            {"reliability_clean", reliability_schema()}}));
}

const Register<StudyPart> registered{{"calibration_under_attack",
                                      85,
                                      "is the network sure of its errors",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      schema,
                                      {images_parameter("150")},
                                      {{"images", "1000"}},
                                      true}};

}  // namespace

}  // namespace fercli::calibration_under_attack_study
