// TRADES: the cross-entropy of the clean images, and how far the answers move inside the ball.
// Zhang et al., "Theoretically principled trade-off between robustness and accuracy", arXiv:1901.08573, eq. 5:
// CE(f(x), y) + beta KL(f(x) || f(x_adv)), beta 6, gradients through both arguments of the KL. The attack maximises the
// KL from x + 0.001 N(0,1), 10 steps of 0.007 at eps 0.031 (here 0.225 eps; 2.25 eps / steps for other numbers), with
// running statistics. The clean logits are computed once for all steps of the attack and once, with batch statistics,
// for the loss; the authors' program computes them anew in each step.
#include "train/training_loss.hpp"

namespace fercli::trades_loss {

namespace {

constexpr double kStartNoise = 0.001, kReach = 2.25;

torch::Tensor perturb(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack, const Rng& rng,
                      torch::Tensor&) {
  const AttackedNetwork network(model, attack.statistics, batch.x.size(2));
  const auto start = batch.x + normal_noise(batch, kStartNoise, rng);
  return ascend(network, batch.x, start, attack, kl_ascent(network.logits(batch.x).softmax(1)));
}

LossOutput objective(const TrainingModel& model, const TrainingBatch& batch) {
  const auto clean = model.logits(batch.x), perturbed = model.logits(batch.x_adv);
  const auto spread = (kl_divergence(clean, perturbed) * batch.weight).mean();
  return {label_loss(clean, batch) + batch.parameters.number("beta") * spread, perturbed.detach()};
}

const Register<TrainingLoss> registered{
    {"trades",
     "clean cross-entropy plus beta times the KL divergence inside the ball",
     objective,
     AttackRecipe{"Zhang et al., arXiv:1901.08573", 10, Statistics::Running,
                  [](double eps, int64_t steps) { return crossing_alpha(eps, steps, kReach); }, perturb},
     {Parameter::number("beta", "6", at_least(0), "weight of the KL divergence")}}};

}  // namespace

}  // namespace fercli::trades_loss
