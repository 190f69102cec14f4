// Fast adversarial training: one signed gradient step from a random point of the ball.
// Wong, Rice and Kolter, "Fast is better than free", arXiv:2001.03994: step size 1.25 eps (10/255 at 8/255), clipped to
// the ball and to [0,1]; batch statistics in both passes, as in the authors' program. With more steps, the second
// defence after catastrophic overfitting, the step is 1.25 eps / steps.
#include "train/training_loss.hpp"

namespace fercli::fgsm_rs_loss {

namespace {

constexpr double kReach = 1.25;

const Register<TrainingLoss> registered{
    {"fgsm-rs", "fast adversarial training: one step from a random point of the ball", perturbed_label_loss,
     AttackRecipe{"Wong et al., arXiv:2001.03994", 1, Statistics::Batch,
                  [](double eps, int64_t steps) { return kReach * eps / static_cast<double>(steps); },
                  ascend_from_random}}};

}  // namespace

}  // namespace fercli::fgsm_rs_loss
