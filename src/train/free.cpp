// Free adversarial training: each batch is learnt several times in a row, and the gradient that teaches the weights
// moves the perturbation too, at no cost of its own.
// Shafahi et al., "Adversarial training for free!", arXiv:1904.12843, algorithm 1: 8 replays, step size eps; the
// perturbation is kept from batch to batch. An epoch here shows each image as often as there are replays, so runs need
// as many times fewer epochs.
#include "train/training_loss.hpp"

namespace fercli::free_loss {

namespace {

constexpr int64_t kReplays = 8;

/// The rows of the kept perturbation that this batch needs; zeros for images of another shape (the last batch of an
/// epoch is smaller, whole images come after windows).
torch::Tensor perturbation_for(const torch::Tensor& x, torch::Tensor& memory) {
  const bool fits = memory.defined() && memory.size(0) >= x.size(0) && memory.sizes().slice(1) == x.sizes().slice(1);
  if (!fits) memory = torch::zeros_like(x);
  return memory.slice(0, 0, x.size(0));
}

void learn_from(const torch::Tensor& gradient, const InnerAttack& attack, torch::Tensor& memory) {
  auto delta = memory.slice(0, 0, gradient.size(0));
  delta.copy_((delta + gradient.sign() * attack.alpha).clamp(-attack.eps, attack.eps));
}

const Register<TrainingLoss> registered{
    {"free", "adversarial training for free: batches replayed, one gradient for weights and images",
     perturbed_label_loss,
     AttackRecipe{"Shafahi et al., arXiv:1904.12843", kReplays, Statistics::Batch,
                  [](double eps, int64_t) { return eps; },
                  [](const TrainingModel&, const TrainingBatch& batch, const InnerAttack& attack, const Rng&,
                     torch::Tensor& memory) {
                    return into_ball(batch.x + perturbation_for(batch.x, memory), batch.x, attack.eps);
                  },
                  learn_from}}};

}  // namespace

}  // namespace fercli::free_loss
