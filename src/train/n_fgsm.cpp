// Single-step adversarial training with strong noise.
// de Jorge et al., "Make some noise: reliable and efficient single-step adversarial training", arXiv:2202.01181,
// algorithm 1: noise from [-2 eps, 2 eps], one step of eps * sign(gradient at the noisy image), and no clipping to the
// ball, so that the image learnt may lie 3 eps away. Everything is clipped to [0,1], as pixels are. Batch statistics
// in both passes, as in the authors' program. With more steps, the defence after catastrophic overfitting, each has
// the length eps / steps.
#include "train/training_loss.hpp"

namespace fercli::n_fgsm_loss {

namespace {

constexpr double kNoise = 2;

torch::Tensor perturb(const TrainingModel& model, const TrainingBatch& batch, const InnerAttack& attack, const Rng& rng,
                      torch::Tensor&) {
  const AttackedNetwork network(model, attack.statistics, batch.x.size(2));
  const auto noisy = (batch.x + uniform_noise(batch, kNoise * attack.eps, rng)).clamp(0, 1);
  return ascend(network, noisy, noisy, attack, cross_entropy_ascent(batch.y));
}

const Register<TrainingLoss> registered{
    {"n-fgsm", "single-step adversarial training with strong noise", perturbed_label_loss,
     AttackRecipe{"de Jorge et al., arXiv:2202.01181", 1, Statistics::Batch,
                  [](double eps, int64_t steps) { return eps / static_cast<double>(steps); }, perturb}}};

}  // namespace

}  // namespace fercli::n_fgsm_loss
