// Elastic-net attack: accelerated proximal gradient steps (FISTA) on |delta|_2^2 + beta |delta|_1 + c max(0, margin), c
// by binary search. Chen, Sharma, Zhang, Yi and Hsieh, arXiv:1709.04114, with beta = 0.01, confidence 0. `steps` is
// that of each of the nine descents (trade_off.hpp), 300 unless set otherwise; alpha is the first step, 0.01, which
// falls with the square root of the steps left.
//
// "ead" keeps the success nearest in L1 (their L1 rule), "ead-en" the one with the smallest |delta|_2^2 + beta
// |delta|_1 (their EN rule); eps bounds the L1 norm of both.
//
// Each step looks at the shrunken point, and at the one extrapolated from it for the gradient; where this lies in [0,1]
// it counts too. No descent ends because of the other images of a batch; one that has not moved at all ends.
#include "attacks/engine/trade_off.hpp"

namespace fercli::ead_attack {

namespace {

enum class Rule { L1, ElasticNet };

/// Each value moves towards x by beta, or all the way.
torch::Tensor shrunk(const torch::Tensor& z, const torch::Tensor& x, double beta) {
  const auto delta = z - x;
  return (x + delta.sign() * (delta.abs() - beta).clamp_min(0)).clamp(0, 1);
}

class Ead : public MinimumNormAttack {
 public:
  Ead(const AttackSetup& setup, Rule rule)
      : MinimumNormAttack(setup), rule_(rule), steps_(values().whole("steps")), beta_(values().number("beta")) {}

  torch::Tensor cost(const torch::Tensor& delta, Norm norm) const override {
    if (rule_ == Rule::L1) return row_norms(delta, norm);
    return row_norms(delta, Norm::L2).square() + beta_ * row_norms(delta, Norm::L1);
  }

 private:
  void approach(Approach& way, torch::Tensor start) const override {
    auto point = start.clone(), ahead = start.clone();
    torch::Tensor next, loss;
    TradeOff trade_off(way.size(), steps_, TradeOff::End::NotMoving);
    const auto state = trade_off.state({&start, &point});
    while (way.size() > 0) {
      const auto sight = way.look(ahead, state);
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto weight = trade_off.constant().masked_fill(margin.value.le(0), 0).to(torch::kFloat32);
      const auto delta = ahead - way.x();
      const auto gradient = 2 * delta + sight.pullback(margin.gradient * weight.unsqueeze(1));
      const auto left = 1 - trade_off.step() / static_cast<double>(steps_);
      const auto stride = over_pixels(values().number("alpha") * left.sqrt()).to(torch::kFloat32);
      next = shrunk(ahead - stride * gradient, way.x(), beta_);
      loss = row_sums(delta.square()) + weight * margin.value;

      const auto reached = way.look(next, trade_off.state({&start, &point, &loss})).reached;
      const auto momentum = over_pixels(trade_off.step() / (trade_off.step() + 3)).to(torch::kFloat32);
      const auto ended = over_pixels(trade_off.advance(loss, reached));
      ahead = torch::where(ended, start, next + momentum * (next - point));
      point = torch::where(ended, start, next);
      way.dismiss(trade_off.finished(), ahead, state);
    }
  }

  Rule rule_;
  int64_t steps_;
  double beta_;
};

AttackEntry entry(const std::string& name, const std::string& summary,
                  std::unique_ptr<Attack> (*make)(const AttackSetup& setup)) {
  return {name,
          summary,
          Access::Gradients,
          {Norm::L1},
          true,
          true,
          "up to 9 x 300 x (2 forward + backward)",
          "Chen et al., arXiv:1709.04114",
          make,
          {shared_parameter("steps", "300"), shared_parameter("alpha", "0.01"),
           Parameter::number("beta", "0.01", at_least(0), "weight of the L1 norm"), shared_parameter("restarts"),
           shared_parameter("random-start")},
          Precision::Float32,
          StepUnit::OfAPixel};
}

const Register<AttackEntry> registered{
    entry("ead", "elastic-net attack, the success nearest in L1",
          [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Ead>(setup, Rule::L1); })};
const Register<AttackEntry> registered_en{
    entry("ead-en", "elastic-net attack, the success with the smallest elastic-net distance",
          [](const AttackSetup& setup) -> std::unique_ptr<Attack> {
            return std::make_unique<Ead>(setup, Rule::ElasticNet);
          })};

}  // namespace

}  // namespace fercli::ead_attack
