// Decoupled direction and norm: gradient steps on the cross-entropy whose direction is followed and whose length is
// not; after each the perturbation is put on a sphere that shrinks by 5 % after a success and grows by 5 % after a
// failure. Rony et al., arXiv:1811.09600. Steps from 1 to 0.01 by cosine annealing, first radius 1, 100 steps.
// On the sphere within [0,1], that is: values that [0,1] cuts leave their share to the others (Ball::stretch); cut
// after it was put on the sphere, as usual, a perturbation of a dark or light image would be shorter than its radius
// says. An image without a gradient stays where it is (foolbox sends it in a random direction).
#include "attacks/engine/minimum_norm.hpp"

namespace fercli::ddn_attack {

namespace {

class Ddn : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const auto largest = [&] { return row_norms(torch::maximum(way.x(), 1 - way.x()), Norm::L2); };
    const int64_t steps = values().whole("steps");
    const double first = values().number("alpha"), last = values().number("last-alpha"),
                 gamma = values().number("gamma");
    auto radius = torch::full({way.size()}, values().number("radius"), torch::kFloat64);
    for (int64_t step = 0; step < steps; ++step) {
      const double turn = M_PI * static_cast<double>(step) / static_cast<double>(steps);
      const double alpha = last + (first - last) * (1 + std::cos(turn)) / 2;
      const auto sight = way.look(points, {&radius});
      if (way.size() == 0) return;
      const auto gradient = sight.pullback(cross_entropy_loss(sight.logits, way.goal()).gradient);
      const auto outwards = 1 - 2 * sight.reached.to(torch::kFloat64);
      radius = torch::minimum(radius * (1 + gamma * outwards), largest());
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
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Ddn>(setup); },
     {shared_parameter("steps", "100"), shared_parameter("alpha", "1"),
      Parameter::number("last-alpha", "0.01", above(0), "the last step size"),
      Parameter::number("gamma", "0.05", {0, 1, true, true}, "by what share the sphere grows or shrinks"),
      Parameter::number("radius", "1", above(0), "the first sphere's"), shared_parameter("restarts"),
      shared_parameter("random-start")}}};

}  // namespace

}  // namespace fercli::ddn_attack
