// Projected gradient descent.
// Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083.
//
// Default: 20 steps of 2.5 eps / steps (a step size that can cross the ball from any start, 2.5 times over), on the
// cross-entropy. Deviations: the first start begins at the original, as in the basic iterative method (Kurakin et al.,
// arXiv:1607.02533), because solved images then lie much nearer to it; further starts, and with `random_start` the
// first too, begin at a random point as in the paper. The iterate is kept off the pixel grid and moves by full steps;
// the network sees, and the gradient is taken at, the image that an 8-bit file would hold (see Ball::exportable). The
// best image over all steps and starts is returned, not the last. How the defaults were chosen:
// experiments/attack-settings.md.
#include <nlohmann/json.hpp>

#include "attacks/search.hpp"

namespace fercli {

namespace {

constexpr int64_t kSteps = 20;
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
            {"random_start", settings_.random_start},
            {"confidence", settings_.confidence},
            {"pixel_grid", settings_.pixel_grid}};
  }

 private:
  double alpha_rule() const { return kReach / static_cast<double>(settings_.steps); }

  void perturb(Search& search) const override {
    auto x_adv = search.start();
    for (int64_t step = 0; step < settings_.steps && search.size() > 0; ++step) {
      const auto gradient = search.gradient(x_adv, loss_).gradient;
      const auto& eps = search.ball().eps();
      x_adv = search.ball().step(x_adv, gradient,
                                 settings_.alpha > 0 ? torch::full_like(eps, settings_.alpha) : eps * alpha_rule());
    }
    search.finish(x_adv);
  }

  GoalLossFunction loss_;
};

const Register<AttackEntry> registered{
    {"pgd",
     "projected gradient descent, restarted from random points",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Madry et al., arXiv:1706.06083",
     [](const AttackSettings& settings) -> std::unique_ptr<Attack> { return std::make_unique<Pgd>(settings); }}};

}  // namespace

}  // namespace fercli
