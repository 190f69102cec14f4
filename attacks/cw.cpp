// Carlini-Wagner L2: Adam (0.9, 0.999) on |x_adv - x|^2 + c max(0, margin) over w with x_adv = (tanh w + 1) / 2, c by
// binary search. Carlini and Wagner, arXiv:1608.04644, sec. VI; confidence 0. `steps` is that of each of the nine
// descents (trade_off.hpp), 300 unless told otherwise; alpha is Adam's rate, 0.01.
//
// Pure black and white pixels begin at tanh w = +-0.999999 and move, if slowly; an arc tangent of 1 would freeze them.
// Nothing is shared between the images of a batch, the early end of a descent included.
#include <nlohmann/json.hpp>

#include "attacks/engine/adam.hpp"
#include "attacks/engine/trade_off.hpp"

namespace fercli::cw_attack {

namespace {

constexpr int64_t kSteps = 300;
constexpr double kRate = 0.01, kInwards = 0.999999;

// w and Adam's memory are float64: squares of small gradients would be denormal numbers, a hundred times as slow, and
// the vectorised tanh of float32 rounds otherwise than the one for the rest of a row.
torch::Tensor to_w(const torch::Tensor& x) {
  return x.to(torch::kFloat64).mul(2).sub(1).mul(kInwards).atanh();
}

torch::Tensor to_image(const torch::Tensor& w) {
  return w.tanh().add(1).div(2).to(torch::kFloat32);
}

class CarliniWagner : public MinimumNormAttack {
 public:
  explicit CarliniWagner(const AttackSettings& settings) : MinimumNormAttack(settings) {
    if (settings_.steps == 0) settings_.steps = kSteps;
    if (settings_.alpha == 0) settings_.alpha = kRate;
  }

  nlohmann::json describe(const ThreatModel& threat) const override { return description("cw", threat); }

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    auto start = to_w(points), w = start.clone();
    auto origin = to_image(to_w(way.x()));
    Adam adam(w);
    TradeOff trade_off(way.size(), settings_.steps, TradeOff::End::NotFalling);
    const auto state = trade_off.state({&w, &start, &origin, &adam.mean, &adam.square});
    while (way.size() > 0) {
      points = way.confined(to_image(w));
      const auto sight = way.look(points, state);
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto weight = trade_off.constant().masked_fill(margin.value.le(0), 0).to(torch::kFloat32);
      const auto delta = points - origin;
      const auto gradient = 2 * delta + sight.pullback(margin.gradient * weight.unsqueeze(1));
      const auto slope = (1 - w.tanh().square()) / 2;
      w = w - adam.direction(gradient * slope, over_pixels(trade_off.step() + 1)) * settings_.alpha;
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
     [](const AttackSettings& settings) -> std::unique_ptr<Attack> {
       return std::make_unique<CarliniWagner>(settings);
     },
     {"steps", "alpha", "restarts", "random-start"}}};

}  // namespace

}  // namespace fercli::cw_attack
