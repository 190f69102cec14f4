#pragma once

#include "attacks/engine/attack.hpp"
#include "attacks/threat/losses.hpp"

namespace fercli {

/// PGD and its relatives: `steps` times (once for those without that parameter), a step of steepest descent on `loss`,
/// projected into the ball (Ball::step). With the parameter "decay" steps follow accumulated gradients.
class Descent : public Attack {
 public:
  /// Where alpha is not given it is reach * eps / steps.
  Descent(const AttackSetup& setup, double reach);

 private:
  void add_facts(nlohmann::json& description, const ThreatModel& threat) const override;
  void perturb(Search& search) const override;

  int64_t steps_;
  double reach_;
  GoalLossFunction loss_;
};

}  // namespace fercli
