// Elastic-net attack: accelerated proximal gradient steps (FISTA) on |delta|_2^2 + beta |delta|_1 + c max(0, margin), c
// by binary search. Chen, Sharma, Zhang, Yi and Hsieh, arXiv:1709.04114, with beta = 0.01, confidence 0. `steps` is
// that of each of the nine descents (trade_off.hpp), 300 unless told otherwise; alpha is the first step, 0.01, which
// falls with the square root of the steps left.
//
// "ead" keeps the success nearest in L1 (their L1 rule), "ead-en" the one with the smallest |delta|_2^2 + beta
// |delta|_1 (their EN rule); eps bounds the L1 norm of both.
//
// Each step looks at the shrunken point, and at the one extrapolated from it for the gradient; where this lies in [0,1]
// it counts too. No descent ends because of the other images of a batch; one that has not moved at all ends.
#include <nlohmann/json.hpp>

#include "attacks/engine/trade_off.hpp"

namespace fercli::ead_attack {

namespace {

constexpr int64_t kSteps = 300;
constexpr double kFirstStep = 0.01, kBeta = 0.01;

enum class Rule { L1, ElasticNet };

/// Each value moves towards x by beta, or all the way.
torch::Tensor shrunk(const torch::Tensor& z, const torch::Tensor& x) {
  const auto delta = z - x;
  return (x + delta.sign() * (delta.abs() - kBeta).clamp_min(0)).clamp(0, 1);
}

class Ead : public MinimumNormAttack {
 public:
  Ead(const AttackSettings& settings, Rule rule) : MinimumNormAttack(settings), rule_(rule) {
    if (settings_.steps == 0) settings_.steps = kSteps;
    if (settings_.alpha == 0) settings_.alpha = kFirstStep;
  }

  torch::Tensor cost(const torch::Tensor& delta, Norm norm) const override {
    if (rule_ == Rule::L1) return row_norms(delta, norm);
    return row_norms(delta, Norm::L2).square() + kBeta * row_norms(delta, Norm::L1);
  }

  nlohmann::json describe(const ThreatModel& threat) const override {
    return {{"name", rule_ == Rule::L1 ? "ead" : "ead-en"},
            {"norm", to_string(threat.norm)},
            {"eps", threat.eps},
            {"alpha", settings_.alpha},
            {"steps", settings_.steps},
            {"beta", kBeta},
            {"restarts", settings_.restarts},
            {"nearest", nearest()},
            {"pixel_grid", settings_.pixel_grid}};
  }

 private:
  void approach(Approach& way, torch::Tensor start) const override {
    auto point = start.clone(), ahead = start.clone();
    torch::Tensor next, loss;
    TradeOff trade_off(way.size(), settings_.steps, TradeOff::End::NotMoving);
    const auto state = trade_off.state({&start, &point});
    while (way.size() > 0) {
      const auto sight = way.look(ahead, state);
      if (way.size() == 0) return;
      const auto margin = margin_loss(sight.logits, way.goal());
      const auto weight = trade_off.constant().masked_fill(margin.value.le(0), 0).to(torch::kFloat32);
      const auto delta = ahead - way.x();
      const auto gradient = 2 * delta + sight.pullback(margin.gradient * weight.unsqueeze(1));
      const auto left = 1 - trade_off.step() / static_cast<double>(settings_.steps);
      const auto stride = over_pixels(settings_.alpha * left.sqrt()).to(torch::kFloat32);
      next = shrunk(ahead - stride * gradient, way.x());
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
};

AttackEntry entry(const std::string& name, const std::string& summary,
                  std::unique_ptr<Attack> (*make)(const AttackSettings& settings)) {
  return {name,
          summary,
          Access::Gradients,
          {Norm::L1},
          true,
          true,
          "up to 9 x 300 x (2 forward + backward)",
          "Chen et al., arXiv:1709.04114",
          make,
          {"steps", "alpha", "restarts", "random-start"},
          Precision::Float32,
          StepUnit::OfAPixel};
}

const Register<AttackEntry> registered{entry("ead", "elastic-net attack, the success nearest in L1",
                                             [](const AttackSettings& settings) -> std::unique_ptr<Attack> {
                                               return std::make_unique<Ead>(settings, Rule::L1);
                                             })};
const Register<AttackEntry> registered_en{
    entry("ead-en", "elastic-net attack, the success with the smallest elastic-net distance",
          [](const AttackSettings& settings) -> std::unique_ptr<Attack> {
            return std::make_unique<Ead>(settings, Rule::ElasticNet);
          })};

}  // namespace

}  // namespace fercli::ead_attack
