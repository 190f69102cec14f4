// MART: images that are misread even when clean count more.
// Wang et al., "Improving adversarial robustness requires revisiting misclassified examples", ICLR 2020, eq. 11:
// BCE(p(x_adv), y) + lambda KL(p(x) || p(x_adv)) (1 - p_y(x)), with BCE = CE - log(1 - max_{k != y} p_k(x_adv)) and
// lambda 5. x_adv by 10 steps of PGD on the cross-entropy from x + 0.001 N(0,1), running statistics. The small
// constants 1.0001 and 1e-12 that keep the logarithms finite are the authors'.
#include <ATen/ATen.h>

#include "train/training_loss.hpp"

namespace fercli::mart_loss {

namespace {

constexpr double kStartNoise = 0.001, kReach = 2.5;

torch::Tensor perturb(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack, const Rng& rng,
                      torch::Tensor&) {
  const AttackedNetwork network(model, attack.statistics, batch.x.size(2));
  const auto start = batch.x + normal_noise(batch, kStartNoise, rng);
  return ascend(network, batch.x, start, attack, cross_entropy_ascent(batch.y));
}

LossOutput objective(const TrainingModel& model, const TrainingBatch& batch) {
  const auto clean = model.logits(batch.x), perturbed = model.logits(batch.x_adv);
  const auto label = batch.y.unsqueeze(1);
  const auto rival = at::amax(perturbed.softmax(1).scatter(1, label, 0), 1);
  const auto boost = -((1.0001 - rival + 1e-12).log() * batch.weight).mean();
  const auto doubt = 1.0000001 - clean.softmax(1).gather(1, label).squeeze(1);
  const auto spread = (kl_divergence(clean, perturbed) * doubt * batch.weight).mean();
  return {label_loss(perturbed, batch) + boost + batch.parameters.number("beta") * spread, perturbed.detach()};
}

const Register<TrainingLoss> registered{
    {"mart",
     "adversarial training that stresses misread images",
     objective,
     AttackRecipe{"Wang et al., ICLR 2020", 10, Statistics::Running,
                  [](double eps, int64_t steps) { return crossing_alpha(eps, steps, kReach); }, perturb},
     {Parameter::number("beta", "5", at_least(0), "weight of the KL divergence, the paper's lambda")}}};

}  // namespace

}  // namespace fercli::mart_loss
