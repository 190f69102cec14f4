#pragma once

#include <string>
#include <vector>

#include "eval/study/part.hpp"

namespace fercli {

/// Attacks on a ladder of eps, with their default settings unless `settings` says otherwise.
struct LadderPlan {
  Norm norm;
  std::vector<std::string> attacks;
  std::vector<Rung> ladder;
  AttackSettings settings = {};
};

/// A campaign on the subject's images.
struct LadderRun {
  Trial plan;
  Ledger robustness;
};
LadderRun run_ladder(const StudySubject& subject, const LadderPlan& ladder);

/// {"norm", "eps", "eps_value", "n", "attacks": [{"name", "robust_accuracy", "balanced", "success": [Metric of each
/// eps], "settings", "seconds", "forward", "backward", "stages"}], "worst": {"robust_accuracy", "balanced"},
/// "per_class", "share_predicted", "constant_answer"}; outcomes and cost.
StudyFindings ladder_findings(const StudySubject& subject, const LadderRun& run);

/// What the figures depend on, for StudyPart::options.
nlohmann::json ladder_options(const LadderPlan& ladder);

/// The ids, for outcomes.
nlohmann::json ids_of(const Dataset& images);

}  // namespace fercli
