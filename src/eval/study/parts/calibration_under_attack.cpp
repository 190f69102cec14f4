// Is the network still sure of itself on adversarial images?
#include "core/progress.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/evaluate.hpp"
#include "eval/measures/subset.hpp"
#include "eval/study/part.hpp"

namespace fercli::calibration_under_attack_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 45;

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.calibration_images);
}

json options(const StudyPlan& plan) {
  return {{"eps", plan.at.text}};
}

double passes(const StudyPlan&, int64_t images, const Pilot&) {
  return static_cast<double>(images) * kPasses;
}

/// PGD that goes on after its first success to the end of its budget: an adversary who wants the network to be sure.
std::unique_ptr<Attack> insistent_pgd(const StudyPlan& plan) {
  AttackSettings settings;
  settings.confidence = 2;
  settings.batch_size = plan.batch_size;
  return make_attack("pgd", settings, Norm::Linf, false);
}

torch::Tensor attacked_probabilities(const StudySubject& subject, const Attack& attack) {
  const Dataset& data = subject.images;
  const Rng rng = Rng(subject.plan.seed).split("attack").split("pgd");
  std::vector<torch::Tensor> probabilities;
  Progress progress("Attacking", data.size(), "images");
  for (int64_t first = 0; first < data.size(); first += kAttackGroup) {
    const int64_t count = std::min(kAttackGroup, data.size() - first);
    const auto shown = data.images.narrow(0, first, count);
    const auto found =
        attack.run(subject.model.search, {Norm::Linf, subject.plan.at.eps},
                   {to_float(shown), Goal::untargeted(data.labels.narrow(0, first, count)), image_keys(shown)}, rng);
    const auto logits = subject.model.judge.logits(found.x_adv);
    probabilities.push_back(torch::softmax(logits.to(torch::kFloat64), 1));
    progress.advance(count);
  }
  return torch::cat(probabilities);
}

json calibration(const Outcomes& outcomes, const Rng& rng) {
  const auto top = outcomes.probabilities.amax(1).contiguous();
  return {
      {"accuracy", to_json(accuracy(confusion_matrix(outcomes, outcomes.probabilities.size(1))))},
      {"ece", to_json(expected_calibration_error(outcomes))},
      {"ece_if_calibrated", to_json(calibrated_ece(outcomes, rng))},
      {"brier", to_json(brier_score(outcomes))},
      {"nll", to_json(negative_log_likelihood(outcomes))},
      {"mean_confidence", to_json(bounded_mean({top.data_ptr<double>(), top.data_ptr<double>() + top.numel()}, 1))}};
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
  const auto attack = insistent_pgd(subject.plan);
  const Rng rng = Rng(subject.plan.seed).split("calibration");
  const Outcomes clean{predict(subject.model.judge, subject.images, subject.plan.batch_size).probabilities,
                       subject.images.labels};
  const Outcomes attacked{attacked_probabilities(subject, *attack), subject.images.labels};
  return {{{"eps", subject.plan.at.text},
           {"eps_value", subject.plan.at.eps},
           {"attack", attack->describe({Norm::Linf, subject.plan.at.eps})},
           {"n", subject.images.size()},
           {"clean", calibration(clean, rng.split("clean"))},
           {"attacked", calibration(attacked, rng.split("attacked"))},
           {"reliability", reliability_table(attacked)},
           {"reliability_clean", reliability_table(clean)}}};
}

const Register<StudyPart> registered{
    {"calibration_under_attack", 85, "is the network sure of its errors", false, images, options, passes, measure}};

}  // namespace

}  // namespace fercli::calibration_under_attack_study
