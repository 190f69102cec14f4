// How small a perturbation suffices: the distribution of the distances that FMN finds.
#include "core/tensor_list.hpp"
#include "eval/measures/subset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::minimal_eps_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 220;  ///< 100 steps, forward and backward, and verdicts
constexpr double kStep = 1 / 255.0;
constexpr double kQuantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9};

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("robustness.minimal_eps", "images"));
}

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"fmn"}, plan.ladder};
}

json options(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

double passes(const StudyPlan&, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) * pilot.right * kPasses;
}

/// The smallest value that at least a share q of the values does not exceed; null: beyond the search.
json quantile(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return {};
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(ascending.size())));
  return finite_or_null(ascending[std::max<size_t>(rank, 1) - 1]);
}

json curve(const std::vector<double>& ascending, double limit, int64_t images) {
  auto points = json::array();
  for (int64_t k = 0; within(static_cast<double>(k) * kStep, limit, true); ++k) {
    const double eps = static_cast<double>(k) * kStep;
    const auto standing = std::count_if(ascending.begin(), ascending.end(),
                                        [&](double distance) { return !within(distance, eps, true); });
    points.push_back({{"eps", eps}, {"robust_accuracy", to_json(proportion(standing, images))}});
  }
  return points;
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  const auto& record = run.robustness.attacks.front();
  auto distances = list_of<double>(record.distance.masked_select(run.robustness.right()));
  std::sort(distances.begin(), distances.end());
  StudyFindings findings = ladder_findings(subject, run);
  findings.figures = {{"attack", record.name},
                      {"settings", record.settings},
                      {"n", distances.size()},
                      {"images", run.robustness.size()},
                      {"median", to_json(median(distances))},
                      {"curve", curve(distances, subject.plan.ladder.back().eps, run.robustness.size())}};
  for (const double q : kQuantiles) {
    findings.figures["quantiles"].push_back({{"q", q}, {"value", quantile(distances, q)}});
  }
  return findings;
}

json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  const json point = object({{"eps", number()}, {"robust_accuracy", metric}});
  const json quantile = object({{"q", share()}, {"value", described(number(), "null: beyond the search")}});
  return open_object({{"attack", text()}, {"median", metric}, {"curve", list(point)}},
                     {{"settings", open_object({})},
                      {"n", described(whole(), "images that are classified rightly")},
                      {"images", whole()},
                      {"quantiles", list(quantile)}});
}

const Register<StudyPart> registered{{"robustness.minimal_eps",
                                      30,
                                      "how small a perturbation suffices",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      schema,
                                      {images_parameter("100")},
                                      {{"images", "1000"}},
                                      true}};

}  // namespace

}  // namespace fercli::minimal_eps_study
