#pragma once

#include "attacks/engine/attack.hpp"
#include "attacks/threat/losses.hpp"

namespace fercli {

/// What tells one attack of equal, projected steps down the gradient from another.
struct DescentRule {
  std::string name;
  int64_t steps;     ///< when the settings do not say
  double reach;      ///< step size alpha = reach * eps / steps, when the settings do not say
  double decay = 0;  ///< of the momentum (MI-FGSM); 0: each step follows its own gradient
};

/// PGD and its relatives: `steps` times, a step of steepest descent on the loss ("ce" when the settings do not say),
/// projected into the ball (Ball::step). Starts where `AttackSettings` says.
class Descent : public Attack {
 public:
  Descent(const AttackSettings& settings, DescentRule rule);

  nlohmann::json describe(const ThreatModel& threat) const override;

 private:
  double alpha_rule() const { return rule_.reach / static_cast<double>(settings_.steps); }
  void perturb(Search& search) const override;

  DescentRule rule_;
  GoalLossFunction loss_;
};

}  // namespace fercli
