// Fast minimum-norm attack: normalised gradient steps on the logit margin, after each a projection into a ball whose
// radius follows the boundary: estimated from the linearised margin until the first success, then down by the share
// gamma after a success (never above the best norm yet) and up by it after a failure. Pintor, Roli, Brendel and Biggio,
// arXiv:2102.12827. Cosine annealing of the step (1 to 0.01) and of gamma (0.05 to 0.001), 100 steps; L0 as there with
// whole radii.
//
// Deviations from foolbox 3.3.4: the L2 projection projects (there it multiplies by 1), the L0 projection keeps as many
// values as the radius says (there one more), and all projections know of [0,1] (there the values are cut afterwards),
// so that each lands on the nearest point allowed. A point that has come to lie on the boundary itself is pushed over
// it (there it stays, on 2 of 18 linear cases).
#include "attacks/engine/annealing.hpp"
#include "attacks/engine/minimum_norm.hpp"
#include "core/numbers.hpp"

namespace fercli::fmn_attack {

namespace {

/// A point this near to the boundary, as a share of its norm, is pushed over it by that share.
constexpr double kOnBoundary = 1e-5, kPush = 1e-3;

class Fmn : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const Norm norm = way.norm();
    const int64_t steps = values().whole("steps");
    const double alpha = values().number("alpha"), last_alpha = alpha * values().number("last-share");
    auto radius = torch::full({way.size()}, norm == Norm::L0 ? 1 : kInfinity, torch::kFloat64);
    auto found = torch::zeros({way.size()}, torch::kBool);
    for (int64_t step = 0; step < steps; ++step) {
      const auto sight = way.look(points, {&radius, &found});
      if (way.size() == 0) return;
      found = found.logical_or(sight.reached);
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto gradient = sight.pullback(margin.gradient);
      const double gamma = annealed(values().number("gamma"), values().number("last-gamma"), step, steps);
      const auto best = row_norms(way.best() - way.x(), norm);
      if (norm == Norm::L0) {
        radius = next_count(radius, sight.reached, best, gamma);
      } else {
        const auto to_boundary = margin.value.abs().to(torch::kFloat64) / dual_norms(gradient, norm).clamp_min(1e-12);
        const auto size = row_norms(points - way.x(), norm);
        const auto stuck = to_boundary.lt(size * kOnBoundary).to(torch::kFloat64);
        const auto estimate = size * (1 + kPush * stuck) + to_boundary;
        const auto beyond = torch::where(found, radius * (1 + gamma), estimate);
        radius = torch::where(sight.reached, torch::minimum(radius * (1 - gamma), best), beyond);
      }
      radius = torch::minimum(radius, largest(way));
      const auto stride = annealed(alpha, last_alpha, step, steps) / row_norms(gradient, Norm::L2).clamp_min(1e-300);
      const auto moved = points - (gradient.to(torch::kFloat64) * over_pixels(stride)).to(torch::kFloat32);
      points = way.ball(radius).project(moved);
    }
  }

  static torch::Tensor next_count(const torch::Tensor& radius, const torch::Tensor& reached, const torch::Tensor& best,
                                  double gamma) {
    const auto less = torch::minimum(torch::minimum(radius - 1, (radius * (1 - gamma)).floor()), best);
    const auto more = torch::maximum(radius + 1, (radius * (1 + gamma)).floor());
    return torch::where(reached, less, more).clamp_min(1);
  }

  /// The norm of the longest perturbation that [0,1] allows.
  static torch::Tensor largest(const Approach& way) {
    return row_norms(torch::maximum(way.x(), 1 - way.x()), way.norm());
  }
};

const Register<AttackEntry> registered{
    {"fmn",
     "gradient steps in a ball whose radius follows the decision boundary",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1, Norm::L0},
     true,
     true,
     "100 x (forward + backward)",
     "Pintor et al., arXiv:2102.12827",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Fmn>(setup); },
     {shared_parameter("steps", "100"), shared_parameter("alpha", "1"),
      Parameter::number("last-share", "0.01", {0, 1, true}, "what is left of alpha at the last step"),
      Parameter::number("gamma", "0.05", {0, 1, true, true}, "by what share the radius first grows or shrinks"),
      Parameter::number("last-gamma", "0.001", {0, 1, true, true}, "the same at the last step"),
      shared_parameter("restarts"), shared_parameter("random-start")},
     Precision::Float32,
     StepUnit::OfL2}};

}  // namespace

}  // namespace fercli::fmn_attack
