#include "attacks/engine/descent.hpp"

#include <nlohmann/json.hpp>

#include "attacks/engine/search.hpp"

namespace fercli {

namespace {

constexpr const char* kLoss = "ce";
constexpr double kTinyMean = 1e-30;

/// Dong et al., arXiv:1710.06081, eq. 6, with the mean in place of the sum of the absolute values, which changes no
/// direction: g <- decay g + gradient / mean |gradient|.
torch::Tensor with_momentum(const torch::Tensor& velocity, const torch::Tensor& gradient, double decay) {
  const double values = static_cast<double>(gradient[0].numel());
  const auto mean = (row_norms(gradient, Norm::L1) / values).clamp_min(kTinyMean);
  return velocity * decay + gradient / mean.to(torch::kFloat32).view({-1, 1, 1, 1});
}

}  // namespace

Descent::Descent(const AttackSettings& settings, DescentRule rule) : Attack(settings), rule_(std::move(rule)) {
  if (settings_.steps == 0) settings_.steps = rule_.steps;
  if (settings_.loss.empty()) settings_.loss = kLoss;
  loss_ = find_goal_loss(settings_.loss);
}

nlohmann::json Descent::describe(const ThreatModel& threat) const {
  nlohmann::json description{{"name", rule_.name},
                             {"norm", to_string(threat.norm)},
                             {"eps", threat.eps},
                             {"alpha", settings_.alpha > 0 ? settings_.alpha : alpha_rule() * threat.eps},
                             {"steps", settings_.steps},
                             {"restarts", settings_.restarts},
                             {"loss", settings_.loss},
                             {"random_start", settings_.random_start},
                             {"confidence", settings_.confidence},
                             {"pixel_grid", settings_.pixel_grid}};
  if (rule_.decay > 0) description["decay"] = rule_.decay;
  return description;
}

void Descent::perturb(Search& search) const {
  auto x_adv = search.start();
  auto velocity = torch::zeros_like(x_adv);
  for (int64_t step = 0; step < settings_.steps && search.size() > 0; ++step) {
    auto direction = search.gradient(x_adv, loss_, {&velocity}).gradient;
    if (search.size() == 0) return;
    if (rule_.decay > 0) direction = velocity = with_momentum(velocity, direction, rule_.decay);
    const auto& eps = search.ball().eps();
    x_adv = search.ball().step(x_adv, direction,
                               settings_.alpha > 0 ? torch::full_like(eps, settings_.alpha) : eps * alpha_rule());
  }
  search.finish(x_adv);
}

}  // namespace fercli
