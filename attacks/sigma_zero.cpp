// sigma-zero: Adam on max(0, margin) + sum of delta^2 / (delta^2 + sigma) / (number of values), a smooth count of the
// changed values. Gradients are divided by their largest value; after each step, changes smaller than a threshold
// become 0, and the threshold rises after a success and falls after a failure by a hundredth of the step size, which
// falls from 1 to 0.1 along a cosine. Cina, Villani, Pintor, Schoenherr, Biggio and Pelillo, arXiv:2402.01879 (ICLR
// 2025), algorithm 1; Adam as in the authors' program. sigma, the first threshold and the rates as there.
//
// Deviation: 300 steps where the paper takes 1000 (the setting `steps`).
#include "attacks/engine/adam.hpp"
#include "attacks/engine/annealing.hpp"
#include "attacks/engine/minimum_norm.hpp"
#include "core/numbers.hpp"

namespace fercli::sigma_zero_attack {

namespace {

/// By what share of the step size the threshold moves; what is left of the step size at the end.
constexpr double kThresholdRate = 0.01, kLastShare = 0.1;

torch::Tensor over_largest(const torch::Tensor& gradient) {
  return gradient / over_pixels(gradient.abs().flatten(1).amax(1).clamp_min(1e-12));
}

class SigmaZero : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const int64_t steps = values().whole("steps");
    const double alpha = values().number("alpha"), sigma = values().number("sigma");
    const auto counted = static_cast<double>(points[0].numel());
    auto threshold = torch::full({way.size()}, values().number("threshold"), torch::kFloat64);
    Adam adam(points.to(torch::kFloat64));  // float64: squares of small gradients would be denormal numbers
    for (int64_t step = 0; step < steps; ++step) {
      const auto sight = way.look(points, {&threshold, &adam.mean, &adam.square});
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto x = way.x().to(torch::kFloat64), delta = points - x;
      const auto of_count = 2 * sigma * delta / (delta.square() + sigma).square() / counted;
      const auto of_margin = sight.pullback(margin.gradient.masked_fill(margin.value.le(0).unsqueeze(1), 0));
      const double stride = annealed(alpha, alpha * kLastShare, step, steps);
      threshold = (threshold + stride * kThresholdRate * torch::where(sight.reached, 1.0, -1.0)).clamp(0, 1);
      const auto direction =
          adam.direction(over_largest(of_margin + of_count), torch::tensor(step + 1.0, torch::kFloat64));
      const auto moved = (points - stride * direction).clamp(0, 1);
      points = torch::where((moved - x).abs().lt(over_pixels(threshold)), x, moved).to(torch::kFloat32);
    }
  }
};

const Register<AttackEntry> registered{
    {"sigma-zero",
     "the margin plus a smooth count of the changed values, small changes dropped after each step",
     Access::Gradients,
     {Norm::L0},
     true,
     true,
     "300 x (forward + backward)",
     "Cina et al., arXiv:2402.01879",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<SigmaZero>(setup); },
     {shared_parameter("steps", "300"), shared_parameter("alpha", "1"),
      Parameter::number("sigma", "0.001", {0, 1, true}, "where the smooth count of a change is one half, squared"),
      Parameter::number("threshold", "0.3", {0, 1}, "the first smallest change that is kept"),
      shared_parameter("restarts"), shared_parameter("random-start")},
     Precision::Float32,
     StepUnit::OfAPixel}};

}  // namespace

}  // namespace fercli::sigma_zero_attack
