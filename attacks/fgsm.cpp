// Fast gradient sign method: to the point of the ball where the linearised loss is worst. In Linf that is one step of
// length eps along the sign of the gradient; in L2 along the gradient itself, in L1 in the values with the largest
// gradient, as far as [0,1] lets each go, so that all of eps is used (Ball::steepest). Goodfellow et al., "Explaining
// and harnessing adversarial examples", arXiv:1412.6572. Deterministic: restarts, steps and alpha are not used.
// Searches in bfloat16: one direction is taken, from one gradient far from the boundary.
#include <nlohmann/json.hpp>

#include "attacks/engine/search.hpp"

namespace fercli::fgsm_attack {

namespace {

class Fgsm : public Attack {
 public:
  explicit Fgsm(const AttackSetup& setup) : Attack(setup), loss_(find_goal_loss(values().word("loss"))) {}

 private:
  void add_facts(nlohmann::json& description, const ThreatModel& threat) const override {
    description["alpha"] = threat.eps;
    description["steps"] = 1;
    description["restarts"] = 1;
  }

  void perturb(Search& search) const override {
    auto x_adv = search.ball().x();
    const auto gradient = search.gradient(x_adv, loss_).gradient;
    x_adv = search.ball().steepest(gradient);
    search.finish(x_adv);
  }

  GoalLossFunction loss_;
};

const Register<AttackEntry> registered{
    {"fgsm",
     "one step along the sign of the gradient",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1},
     true,
     true,
     "2 forward + 1 backward",
     "Goodfellow et al., arXiv:1412.6572",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Fgsm>(setup); },
     {shared_parameter("loss", "ce")},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::fgsm_attack
