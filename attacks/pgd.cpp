// Projected gradient descent from a random point of the ball.
// Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083.
//
// Default: 40 steps of 2.5 eps / steps, the step size of that paper's CIFAR-10 challenge generalised by Engstrom et al.
// ("Robustness (Python library)"): it can cross the ball from any start, 2.5 times over. The iterate is kept off the
// pixel grid and moves by full steps; the network sees, and the gradient is taken at, the image that an 8-bit file
// would hold (see Ball::exportable). The best image over all steps and starts is returned, not the last.
#include <nlohmann/json.hpp>

#include "attacks/search.hpp"

namespace fercli {

namespace {

constexpr int64_t kSteps = 40;
constexpr double kReach = 2.5;
constexpr const char* kLoss = "ce";

class Pgd : public Attack {
 public:
  explicit Pgd(const AttackSettings& settings) : Attack(settings) {
    if (settings_.steps == 0) settings_.steps = kSteps;
    if (settings_.loss.empty()) settings_.loss = kLoss;
    loss_ = find_goal_loss(settings_.loss);
  }

  nlohmann::json describe(const ThreatModel& threat) const override {
    return {{"name", "pgd"},
            {"norm", to_string(threat.norm)},
            {"eps", threat.eps},
            {"alpha", settings_.alpha > 0 ? settings_.alpha : alpha_rule() * threat.eps},
            {"steps", settings_.steps},
            {"restarts", settings_.restarts},
            {"loss", settings_.loss},
            {"confidence", settings_.confidence},
            {"pixel_grid", settings_.pixel_grid}};
  }

 private:
  double alpha_rule() const { return kReach / static_cast<double>(settings_.steps); }

  void perturb(Search& search) const override {
    auto x_adv = search.start();
    for (int64_t step = 0; step < settings_.steps && search.size() > 0; ++step) {
      const auto gradient = search.gradient(x_adv, loss_);
      const auto& eps = search.ball().eps();
      x_adv = search.ball().step(x_adv, gradient, settings_.alpha > 0 ? torch::full_like(eps, settings_.alpha) : eps * alpha_rule());
    }
    search.finish(x_adv);
  }

  GoalLossFunction loss_;
};

const Register<AttackEntry> registered{{"pgd",
                                        "projected gradient descent from a random start",
                                        {Norm::Linf, Norm::L2},
                                        true,
                                        true,
                                        "steps x (forward + backward) + 1 forward, until solved",
                                        "Madry et al., arXiv:1706.06083",
                                        [](const AttackSettings& settings) -> std::unique_ptr<Attack> {
                                          return std::make_unique<Pgd>(settings);
                                        }}};

}  // namespace

}  // namespace fercli
