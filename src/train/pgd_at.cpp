// Adversarial training by projected gradient descent.
// Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083: steps from a random
// point of the ball; the loss is the cross-entropy there. Not their 7 steps of 2/255 at eps 8/255 for CIFAR-10, but 10,
// as Rice, Wong and Kolter, "Overfitting in adversarially robust deep learning", arXiv:2002.11569, take. BatchNorm
// works with its running statistics during the attack, as Pang et al., "Bag of tricks for adversarial training",
// arXiv:2010.00467, recommend. With 2 or 3 steps the step size is 0.75 eps: 2.5 eps / steps would overshoot.
#include "train/training_loss.hpp"

namespace fercli::pgd_at_loss {

namespace {

constexpr double kReach = 2.5;

const Register<TrainingLoss> registered{
    {"pgd-at", "adversarial training with several steps of PGD", perturbed_label_loss,
     AttackRecipe{"Madry et al., arXiv:1706.06083", 10, Statistics::Running,
                  [](double eps, int64_t steps) { return crossing_alpha(eps, steps, kReach); }, ascend_from_random}}};

}  // namespace

}  // namespace fercli::pgd_at_loss
