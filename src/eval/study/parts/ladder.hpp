#pragma once

#include <string>
#include <vector>

#include "eval/study/part.hpp"
#include "record/shape.hpp"

namespace fercli {

/// Attacks on an eps grid, with their default settings unless `settings` says otherwise.
struct LadderPlan {
  Norm norm;
  std::vector<std::string> attacks;
  std::vector<Budget> ladder;
  AttackSettings settings = {};
};

/// A campaign on the subject's images.
struct LadderRun {
  Trial plan;
  Ledger robustness;
};
LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder);

/// Figures of `ladder_schema`; outcomes and cost.
StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run);

nlohmann::json ladder_schema();
shape::Members ladder_members();  ///< those of it that do not depend on the attacks
shape::Members attack_members();  ///< of one of its attacks
shape::Members stages_members();  ///< which cascades have besides

/// What the figures depend on, for StudyPart::options.
nlohmann::json ladder_options(const LadderPlan& ladder);

/// The ids, for outcomes.
nlohmann::json ids_of(const Dataset& images);

}  // namespace fercli
