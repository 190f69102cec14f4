// SPSA: gradient descent with gradients estimated from the logits at pairs of random probes.
// Uesato, O'Donoghue, van den Oord and Kohli, "Adversarial risk and the dangers of evaluating against weak attacks",
// arXiv:1802.05666; the estimate: Spall, "Multivariate stochastic approximation using a simultaneous perturbation
// gradient approximation", IEEE TAC 1992.
//
// Each step looks at pairs x +- delta v with random signs v, moves by Adam on the mean estimate, projects and looks at
// the result. Defaults: 5000 queries, 32 pairs a step (the paper's batch is 8192, for attacks without a budget), delta
// 3/255 (the paper's 0.01 in whole levels, so that 8-bit images show it), step size `alpha` 0.01 as in the paper,
// margin loss. The probes may lie outside the ball; a success counts inside it alone. No query beyond the budget;
// `steps` is not used.
#include <nlohmann/json.hpp>

#include "attacks/engine/adam.hpp"
#include "attacks/engine/search.hpp"

namespace fercli::spsa_attack {

namespace {

class Spsa : public Attack {
 public:
  explicit Spsa(const AttackSetup& setup)
      : Attack(setup, Reach::Anywhere), loss_(find_goal_loss(values().word("loss"))), probe_(values().number("probe")) {
    setup_.nearest = false;
  }

 private:
  /// What the descent carries along for each image.
  struct Descent {
    torch::Tensor x_adv;
    Adam adam;
  };

  /// A step must leave one query for its result; the original and the start have had one each.
  int64_t pairs() const { return std::min(values().whole("pairs"), (values().whole("queries") - 3) / 2); }

  void add_facts(nlohmann::json& description, const ThreatModel&) const override { description["pairs"] = pairs(); }

  void perturb(Search& search) const override {
    const int64_t cost = 2 * pairs() + 1, steps = pairs() < 1 ? 0 : (values().whole("queries") - 2) / cost;
    auto x_adv = search.start();
    if (values().whole("queries") >= 2) {
      auto shown = search.ball().exportable(x_adv);
      search.scores(shown, {&x_adv});
    }
    Descent descent{x_adv, Adam(x_adv)};
    for (int64_t step = 0; step < steps && search.size() > 0; ++step) {
      const auto gradient = estimate(search, descent, step);
      advance(search.ball(), descent, gradient, step);
      auto shown = search.ball().exportable(descent.x_adv);
      if (step + 1 == steps) return search.offer(shown);
      search.scores(shown, {&descent.x_adv, &descent.adam.mean, &descent.adam.square});
    }
  }

  torch::Tensor estimate(Search& search, Descent& descent, int64_t step) const {
    auto sum = torch::zeros_like(descent.x_adv);
    for (int64_t pair = 0; pair < pairs() && search.size() > 0; ++pair) {
      const Rng rng = search.rng().split("probe").split(static_cast<uint64_t>(step * values().whole("pairs") + pair));
      auto base = search.ball().exportable(descent.x_adv);
      auto signs = uniform_rows(rng, search.index(), base.sizes().slice(1));
      signs = torch::where(signs.ge(0), torch::ones_like(signs), -torch::ones_like(signs));
      if (search.ball().mask().defined()) signs = signs * search.ball().mask();
      auto plus = (base + signs * probe_).clamp(0, 1);
      auto above = search.scores(plus, {&descent.x_adv, &descent.adam.mean, &descent.adam.square, &sum, &base, &signs});
      above = loss_(above, search.goal()).value;
      auto minus = (base - signs * probe_).clamp(0, 1);
      const auto below =
          search.scores(minus, {&descent.x_adv, &descent.adam.mean, &descent.adam.square, &sum, &signs, &above});
      const auto slope = (above - loss_(below, search.goal()).value) / (2 * probe_);
      sum = sum + signs * slope.view({-1, 1, 1, 1});
    }
    return sum / static_cast<double>(pairs());
  }

  void advance(const Ball& ball, Descent& descent, const torch::Tensor& gradient, int64_t step) const {
    const auto direction = descent.adam.direction(gradient, torch::scalar_tensor(step + 1, torch::kFloat64));
    descent.x_adv = ball.project(descent.x_adv - direction * values().number("alpha"));
  }

  GoalLossFunction loss_;
  double probe_;
};

const Register<AttackEntry> registered{
    {"spsa",
     "descent along gradients estimated from random probes",
     Access::Scores,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "up to 5000 forward, until solved",
     "Uesato et al., arXiv:1802.05666",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Spsa>(setup); },
     {shared_parameter("alpha", "0.01"), shared_parameter("restarts"), shared_parameter("random-start"),
      shared_parameter("loss", "margin"), shared_parameter("queries", "5000"),
      Parameter::whole("pairs", "32", between(1, 1e5), "of probes for each step"),
      Parameter::number("probe", "3/255", {0, 1, true}, "how far a probe lies from the image, in each value"),
      confidence_parameter()},
     Precision::Float32,
     StepUnit::OfAPixel}};

}  // namespace

}  // namespace fercli::spsa_attack
