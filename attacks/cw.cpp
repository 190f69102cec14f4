// Carlini-Wagner L2: Adam (0.9, 0.999) on |x_adv - x|^2 + c max(0, margin) over w with x_adv = (tanh w + 1) / 2, c by
// binary search. Carlini and Wagner, arXiv:1608.04644, sec. VI; confidence 0. `steps` is that of each of the nine
// descents (trade_off.hpp), 300 unless set otherwise; alpha is Adam's rate, 0.01.
//
// Deviation: where a pixel is within 0.01 of black or white, x_adv goes on from the tanh along its tangent, which ends
// exactly at 0 and 1. The tanh reaches them at infinity only: the paper's code begins a hair inside, where a step of w
// moves nothing, so that black and white pixels stay as they are for all of the default budget. Nothing is shared
// between the images of a batch, the early end of a descent included.
#include "attacks/engine/adam.hpp"
#include "attacks/engine/trade_off.hpp"

namespace fercli::cw_attack {

namespace {

/// 2 x - 1 is the tanh of w up to here, and its tangent beyond.
constexpr double kBend = 0.98;
const double kBendAt = std::atanh(kBend), kTangent = 1 - kBend * kBend;
/// Where the tangent reaches 1.
const double kEnd = kBendAt + (1 - kBend) / kTangent;

// w and Adam's memory are float64: squares of small gradients would be denormal numbers, a hundred times as slow, and
// the vectorised tanh of float32 rounds otherwise than the one for the rest of a row.
torch::Tensor to_w(const torch::Tensor& x) {
  const auto place = x.to(torch::kFloat64).mul(2).sub(1);
  const auto beyond = (place.abs() - kBend).clamp_min(0);
  return place.clamp(-kBend, kBend).atanh() + place.sign() * beyond / kTangent;
}

torch::Tensor to_image(const torch::Tensor& w) {
  const auto beyond = (w.abs() - kBendAt).clamp_min(0);
  const auto place = w.clamp(-kBendAt, kBendAt).tanh() + w.sign() * beyond * kTangent;
  return place.add(1).div(2).to(torch::kFloat32).clamp(0, 1);
}

/// d to_image / d w.
torch::Tensor slope_at(const torch::Tensor& w) {
  return (1 - w.clamp(-kBendAt, kBendAt).tanh().square()) / 2;
}

class CarliniWagner : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    auto start = to_w(points), w = start.clone();
    auto origin = to_image(to_w(way.x()));
    Adam adam(w);
    TradeOff trade_off(way.size(), values().whole("steps"), TradeOff::End::NotFalling);
    const auto state = trade_off.state({&w, &start, &origin, &adam.mean, &adam.square});
    while (way.size() > 0) {
      points = way.confined(to_image(w));
      const auto sight = way.look(points, state);
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto weight = trade_off.constant().masked_fill(margin.value.le(0), 0).to(torch::kFloat32);
      const auto delta = points - origin;
      const auto gradient = 2 * delta + sight.pullback(margin.gradient * weight.unsqueeze(1));
      w = w - adam.direction(gradient * slope_at(w), over_pixels(trade_off.step() + 1)) * values().number("alpha");
      w = w.clamp(-kEnd, kEnd);
      const auto loss = row_sums(delta.square()) + weight * margin.value;
      restart_where(trade_off.advance(loss, sight.reached), start, w, adam);
      way.dismiss(trade_off.finished(), points, state);
    }
  }

  static void restart_where(const torch::Tensor& ended, const torch::Tensor& start, torch::Tensor& w, Adam& adam) {
    const auto mask = over_pixels(ended);
    w = torch::where(mask, start, w);
    adam.mean = adam.mean.masked_fill(mask, 0);
    adam.square = adam.square.masked_fill(mask, 0);
  }
};

const Register<AttackEntry> registered{
    {"cw",
     "the shortest perturbation plus c times the margin, by Adam, c by binary search",
     Access::Gradients,
     {Norm::L2},
     true,
     true,
     "up to 9 x 300 x (forward + backward)",
     "Carlini & Wagner, arXiv:1608.04644",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<CarliniWagner>(setup); },
     {shared_parameter("steps", "300"), shared_parameter("alpha", "0.01"), shared_parameter("restarts"),
      shared_parameter("random-start")},
     Precision::Float32,
     StepUnit::OfAPixel}};

}  // namespace

}  // namespace fercli::cw_attack
