// Primal-dual proximal gradient descent: Adam steps on softplus(max(0, margin)), after each the proximal operator of
// the norm in Adam's own metric (at most five steps of Melchior, Joseph and Moolekamp, arXiv:1910.10094), weighted by
// the ratio of two dual variables, which gradient ascent moves: towards the margin after a failure, towards the norm
// after a success. Matyasko and Chau, arXiv:2106.01538; rates, schedules, the moving average of the dual variables and
// the starting ratio as in adversarial-library 0.2: 500 steps, primal rate 0.1 falling to a hundredth, dual rate 0.1
// falling to a tenth.
#include "attacks/engine/adam.hpp"
#include "attacks/engine/minimum_norm.hpp"
#include "core/numbers.hpp"

namespace fercli::pdpgd_attack {

namespace {

constexpr double kLastStride = 0.01, kLastDualRate = 0.1, kDualDecay = 0.9;
/// How far apart the dual variables may be (log of their ratio).
const double kLargestLog = std::log(1e6);
constexpr int64_t kProximalSteps = 5;
constexpr double kProximalEnd = 0.01;  ///< relative change at which they end

/// The point nearest to delta where `weight` ((M,1,1,1)) times the norm is paid for: argmin |z - delta|^2 / 2 + weight
/// |z|.
torch::Tensor proximal(const torch::Tensor& delta, const torch::Tensor& weight, Norm norm) {
  if (norm == Norm::L1) return delta.sign() * (delta.abs() - weight).clamp_min(0);
  return delta * (1 - weight / over_pixels(row_norms(delta, Norm::L2)).clamp_min(1e-300)).clamp_min(0);
}

class Pdpgd : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const int64_t steps = values().whole("steps");
    const double alpha = values().number("alpha"), dual_alpha = values().number("dual-alpha");
    auto dual = torch::full({way.size()}, -std::log(values().number("first-ratio")), torch::kFloat64);
    auto margin_share = dual.sigmoid();  // its moving average; the norm has the rest
    Adam adam(points.to(torch::kFloat64));
    for (int64_t step = 0; step < steps; ++step) {
      const auto sight = way.look(points, {&dual, &margin_share, &adam.mean, &adam.square});
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto slope = margin.value.sigmoid().masked_fill(margin.value.le(0), 0);
      const auto gradient = sight.pullback(margin.gradient * slope.unsqueeze(1)).to(torch::kFloat64);
      const double share = static_cast<double>(step) / static_cast<double>(steps);
      const double stride = alpha * std::pow(kLastStride, share);
      const auto number = torch::tensor(step + 1.0, torch::kFloat64);
      const auto direction = adam.direction(gradient, number);
      const auto x = way.x().to(torch::kFloat64);
      const auto moved = (points - stride * direction).clamp(0, 1) - x;
      const auto delta = settled(moved, x, adam.scale(number), stride * (1 - margin_share) / margin_share, way.norm());
      points = (x + delta).to(torch::kFloat32);

      const double left = static_cast<double>(steps - 1 - step) / static_cast<double>(std::max<int64_t>(steps - 1, 1));
      const double rate = dual_alpha * (left * (1 - kLastDualRate) + kLastDualRate);
      dual = (dual + rate * margin.value.sign()).clamp(-kLargestLog, kLargestLog);
      margin_share = kDualDecay * margin_share + (1 - kDualDecay) * dual.sigmoid();
    }
  }

  /// argmin |z - moved|^2 / 2 in the metric `scale` plus weight |z|, so that x + z lies in [0,1]; float64.
  /// scale: (M,C,H,W), Adam's denominators; weight: (M).
  static torch::Tensor settled(const torch::Tensor& moved, const torch::Tensor& x, const torch::Tensor& scale,
                               const torch::Tensor& weight, Norm norm) {
    const auto largest = scale.flatten(1).amax(1);
    const auto metric = scale / over_pixels(largest), of_norm = over_pixels(weight / largest);
    auto z = moved;
    auto open = torch::ones({moved.size(0)}, torch::kBool);
    for (int64_t step = 0; step < kProximalSteps && open.any().item<bool>(); ++step) {
      const auto next = (x + proximal((moved - z) * metric + z, of_norm, norm)).clamp(0, 1) - x;
      const auto kept = torch::where(over_pixels(open), next, z);
      open = row_norms(kept - z, Norm::L2).gt(kProximalEnd * row_norms(kept, Norm::L2));
      z = kept;
    }
    return z;
  }
};

const Register<AttackEntry> registered{
    {"pdpgd",
     "Adam on the margin, pulled towards the original by the norm, the two weighed against each other as it goes",
     Access::Gradients,
     {Norm::L1, Norm::L2},
     true,
     true,
     "500 x (forward + backward)",
     "Matyasko & Chau, arXiv:2106.01538",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Pdpgd>(setup); },
     {shared_parameter("steps", "500"), shared_parameter("alpha", "0.1"),
      Parameter::number("dual-alpha", "0.1", {0, 1, true}, "the first rate of the dual variables"),
      Parameter::number("first-ratio", "0.01", {0, 1, true}, "the norm's first weight as a share of the margin's"),
      shared_parameter("restarts"), shared_parameter("random-start")},
     Precision::Float32,
     StepUnit::OfAPixel}};

}  // namespace

}  // namespace fercli::pdpgd_attack
