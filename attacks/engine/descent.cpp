#include "attacks/engine/descent.hpp"

#include <nlohmann/json.hpp>

#include "attacks/engine/search.hpp"

namespace fercli {

namespace {

constexpr double kTinyMean = 1e-30;

/// Dong et al., arXiv:1710.06081, eq. 6, with the mean in place of the sum of the absolute values, which changes no
/// direction: g <- decay g + gradient / mean |gradient|.
torch::Tensor with_momentum(const torch::Tensor& velocity, const torch::Tensor& gradient, double decay) {
  const double values = static_cast<double>(gradient[0].numel());
  const auto mean = (row_norms(gradient, Norm::L1) / values).clamp_min(kTinyMean);
  return velocity * decay + gradient / mean.to(torch::kFloat32).view({-1, 1, 1, 1});
}

}  // namespace

Descent::Descent(const AttackSetup& setup, double reach)
    : Attack(setup),
      steps_(values().has("steps") ? values().whole("steps") : 1),
      reach_(reach / static_cast<double>(steps_)),
      loss_(find_goal_loss(values().word("loss"))) {}

void Descent::add_facts(nlohmann::json& description, const ThreatModel& threat) const {
  description["steps"] = steps_;
  if (!values().has("alpha")) description["alpha"] = reach_ * threat.eps;
}

torch::Tensor Descent::slope(Search& search, torch::Tensor& x_adv, Memory& memory, const Rng& /*rng*/) const {
  return search.gradient(x_adv, loss_, {&memory.velocity, &memory.variance}).gradient;
}

void Descent::perturb(Search& search) const {
  auto x_adv = search.start();
  const auto nothing = torch::zeros({search.size(), 1, 1, 1});  // spreads over the pixels when it is added to
  Memory memory{nothing, nothing};
  const bool momentum = values().has("decay");
  for (int64_t step = 0; step < steps_ && search.size() > 0; ++step) {
    auto direction = slope(search, x_adv, memory, search.rng().split("step").split(static_cast<uint64_t>(step)));
    if (search.size() == 0) return;
    if (momentum) direction = memory.velocity = with_momentum(memory.velocity, direction, values().number("decay"));
    const auto& eps = search.ball().eps();
    const auto alpha = values().has("alpha") ? torch::full_like(eps, values().number("alpha")) : eps * reach_;
    x_adv = search.ball().step(x_adv, direction, alpha);
  }
  search.finish(x_adv);
}

}  // namespace fercli
