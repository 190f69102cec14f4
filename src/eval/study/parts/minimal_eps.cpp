// How small a perturbation suffices: the distribution of the distances that FMN finds.
#include "core/numbers.hpp"
#include "core/tensor_list.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::minimal_eps_study {

namespace {

constexpr double kPasses = 220;  ///< 100 steps, forward and backward, and verdicts
constexpr double kStep = 1 / 255.0;
constexpr double kQuantiles[] = {0.1, 0.25, 0.5, 0.75, 0.9};

LadderPlan ladder_of(const StudyPlan& plan) {
  return {Norm::Linf, {"fmn"}, plan.ladder};
}

double passes(const StudyPlan&, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) * pilot.right * kPasses;
}

/// The smallest value that at least a share q of the values does not exceed; infinite: beyond the search.
double quantile(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return kNaN;
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(ascending.size())));
  return ascending[std::max<size_t>(rank, 1) - 1];
}

std::vector<EpsPoint> curve(const std::vector<double>& ascending, double limit, int64_t images) {
  std::vector<EpsPoint> points;
  for (int64_t k = 0; within(static_cast<double>(k) * kStep, limit, true); ++k) {
    const double eps = static_cast<double>(k) * kStep;
    const auto robust = std::count_if(ascending.begin(), ascending.end(),
                                      [&](double distance) { return !within(distance, eps, true); });
    points.push_back({eps, proportion(robust, images)});
  }
  return points;
}

StudyFindings measure(const StudySubject& subject) {
  const LadderRun run = run_ladder(subject, ladder_of(subject.plan));
  const auto& record = run.robustness.attacks.front();
  auto distances = list_of<double>(record.distance.masked_select(run.robustness.right()));
  std::sort(distances.begin(), distances.end());
  MinimalEps found{record.name,
                   median(distances),
                   curve(distances, subject.plan.ladder.back().eps, run.robustness.size()),
                   record.settings,
                   static_cast<int64_t>(distances.size()),
                   run.robustness.size(),
                   std::vector<EpsQuantile>()};
  for (const double q : kQuantiles) found.quantiles->push_back({q, quantile(distances, q)});
  return ladder_findings(subject, run, Shape<MinimalEps>::write(found));
}

const Register<StudyPart> registered{{"robustness.minimal_eps",
                                      30,
                                      "how small a perturbation suffices",
                                      {options_of_ladder<ladder_of>, passes, measure, Shape<MinimalEps>::schema},
                                      {images_parameter("100")},
                                      {{"images", "1000"}},
                                      /*attacks=*/true}};

}  // namespace

}  // namespace fercli::minimal_eps_study
