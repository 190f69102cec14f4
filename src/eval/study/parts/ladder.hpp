#pragma once

#include <string>
#include <vector>

#include "eval/ladder_figures.hpp"
#include "eval/study/part.hpp"

namespace fercli {

/// Attacks on an eps grid, with their default settings unless `settings` says otherwise.
struct LadderPlan {
  Norm norm;
  std::vector<std::string> attacks;
  std::vector<Budget> ladder;
  AttackSettings settings = {};
};

/// On the subject's images.
LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder);

/// These figures, with outcomes and cost of the run.
StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run, nlohmann::json figures);

/// What figures depend on.
nlohmann::json ladder_options(const LadderPlan& ladder);

/// The same for StudyPart::Work::options.
template <LadderPlan (*ladder_of)(const StudyPlan& plan)>
nlohmann::json options_of_ladder(const StudyPlan& plan) {
  return ladder_options(ladder_of(plan));
}

}  // namespace fercli
