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

 protected:
  /// What is remembered of the steps before, a row for each image still in the search.
  struct Memory {
    torch::Tensor velocity, variance;
  };

  /// What a step goes against at `x_adv`: the gradient of the loss. Judges `x_adv`; images that leave are dropped from
  /// it and from `memory`. `rng` is the step's own.
  virtual torch::Tensor slope(Search& search, torch::Tensor& x_adv, Memory& memory, const Rng& rng) const;

  const GoalLossFunction& loss() const { return loss_; }

 private:
  void add_facts(nlohmann::json& description, const ThreatModel& threat) const override;
  void perturb(Search& search) const override;

  int64_t steps_;
  double reach_;
  GoalLossFunction loss_;
};

}  // namespace fercli
