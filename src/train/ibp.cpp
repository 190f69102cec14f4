// Training for certificates: the cross-entropy of the worst logits that interval bounds allow.
// Gowal et al., "On the effectiveness of interval bound propagation for training verifiably robust models",
// arXiv:1810.12715: kappa CE(f(x), y) + (1 - kappa) CE(z, y), where z_k bounds f_k - f_y over the ball. While eps rises
// (--eps-ramp), kappa falls with it, evenly, from 1 to the value given. The last layer is taken together with the
// difference of the logits. BatchNorm's statistics are those of the images themselves, and all is float32 whatever
// --precision says, since boxes of 1/255 are lost in bfloat16. Their own eps schedule is in steps, and their networks
// have neither BatchNorm nor a moving average of the weights.
#include <ATen/ATen.h>

#include "models/networks/bound_pass.hpp"
#include "train/training_loss.hpp"

namespace fercli::ibp_loss {

namespace {

/// No search: the corner of the ball whose every pixel goes away from the nearer of black and white, and so by eps.
/// It tells the objective the radius.
torch::Tensor corner(const TrainingModel&, const TrainingBatch& batch, const InnerAttack& attack, const Rng&,
                     torch::Tensor&) {
  return (batch.x + at::where(batch.x < 0.5, attack.eps, -attack.eps)).clamp(0, 1);
}

LossOutput objective(const TrainingModel& model, const TrainingBatch& batch) {
  const auto radius = (batch.x_adv - batch.x).abs().amax().detach();
  const BoundPass pass(model.network(), batch.y);
  const auto answers =
      model.exact_logits(at::cat({batch.x, (batch.x - radius).clamp(0, 1), (batch.x + radius).clamp(0, 1)}));
  const auto clean = answers.narrow(0, 0, batch.x.size(0));
  const double kappa = 1 - batch.risen * (1 - batch.parameters.number("kappa"));
  const auto certain = label_loss(pass.worst_logits(answers), batch);
  return {kappa * label_loss(clean, batch) + (1 - kappa) * certain, clean.detach()};
}

AttackRecipe recipe() {
  AttackRecipe bounds{"Gowal et al., arXiv:1810.12715", 1, Statistics::Batch, [](double eps, int64_t) { return eps; },
                      corner};
  bounds.searches = false;
  return bounds;
}

const Register<TrainingLoss> registered{
    {"ibp",
     "the cross-entropy of the worst logits that interval bounds allow, for `fercli certify`",
     objective,
     recipe(),
     {Parameter::number("kappa", "0.5", between(0, 1), "weight of the clean images once eps has risen")}}};

}  // namespace

}  // namespace fercli::ibp_loss
