// Decoupled direction and norm: gradient steps on the cross-entropy whose direction is followed and whose length is
// not; after each the perturbation is put on a sphere that shrinks by 5 % after a success and grows by 5 % after a
// failure. Rony et al., arXiv:1811.09600. Steps from 1 to 0.01 by cosine annealing, first radius 1, 100 steps.
// On the sphere within [0,1], that is: values that [0,1] cuts leave their share to the others (Ball::stretch); cut
// after it was put on the sphere, as usual, a perturbation of a dark or light image would be shorter than its radius
// says. An image without a gradient stays where it is (foolbox sends it in a random direction).
#include <nlohmann/json.hpp>

#include "attacks/engine/minimum_norm.hpp"

namespace fercli::ddn_attack {

namespace {

constexpr int64_t kSteps = 100;
constexpr double kFirstStep = 1, kLastStep = 0.01, kFirstRadius = 1, kGamma = 0.05;

class Ddn : public MinimumNormAttack {
 public:
  explicit Ddn(const AttackSettings& settings) : MinimumNormAttack(settings) {
    if (settings_.steps == 0) settings_.steps = kSteps;
    if (settings_.alpha == 0) settings_.alpha = kFirstStep;
  }

  nlohmann::json describe(const ThreatModel& threat) const override { return description("ddn", threat); }

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const auto largest = [&] { return row_norms(torch::maximum(way.x(), 1 - way.x()), Norm::L2); };
    auto radius = torch::full({way.size()}, kFirstRadius, torch::kFloat64);
    for (int64_t step = 0; step < settings_.steps; ++step) {
      const double turn = M_PI * static_cast<double>(step) / static_cast<double>(settings_.steps);
      const double alpha = kLastStep + (settings_.alpha - kLastStep) * (1 + std::cos(turn)) / 2;
      const auto sight = way.look(points, {&radius});
      if (way.size() == 0) return;
      const auto gradient = sight.pullback(cross_entropy_loss(sight.logits, way.goal()).gradient);
      const auto outwards = 1 - 2 * sight.reached.to(torch::kFloat64);
      radius = torch::minimum(radius * (1 + kGamma * outwards), largest());
      const auto stride = alpha / row_norms(gradient, Norm::L2).clamp_min(1e-300);
      const auto moved = points - (gradient.to(torch::kFloat64) * over_pixels(stride)).to(torch::kFloat32);
      points = way.ball(radius).stretch(moved);
    }
  }
};

const Register<AttackEntry> registered{
    {"ddn",
     "gradient steps on a sphere that shrinks and grows with success",
     Access::Gradients,
     {Norm::L2},
     true,
     true,
     "100 x (forward + backward)",
     "Rony et al., arXiv:1811.09600",
     [](const AttackSettings& settings) -> std::unique_ptr<Attack> { return std::make_unique<Ddn>(settings); },
     {"steps", "alpha", "restarts", "random-start"}}};

}  // namespace

}  // namespace fercli::ddn_attack
