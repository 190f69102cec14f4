// FGSM with a random start: one step of 1.25 eps along the sign of the gradient from a random point of the ball.
// Wong, Rice and Kolter, "Fast is better than free: revisiting adversarial training", arXiv:2001.03994, alg. 3.
//
// Default: alpha = 1.25 eps, on the cross-entropy, as in the paper. Deviations: the network sees the image that an
// 8-bit file would hold, and of the random point and the last the better is returned. `steps` is not used; the start is
// random unless the caller gives one. Searches in bfloat16: see fgsm.cpp.
#include "attacks/engine/descent.hpp"

namespace fercli::fgsm_rs_attack {

namespace {

const Register<AttackEntry> registered{
    {"fgsm-rs",
     "one step along the sign of the gradient from a random point",
     Access::Gradients,
     {Norm::Linf},
     true,
     true,
     "2 forward + 1 backward",
     "Wong et al., arXiv:2001.03994",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Descent>(setup, 1.25); },
     {shared_parameter("alpha"), shared_parameter("restarts"), shared_parameter("random-start", "true"),
      shared_parameter("loss", "ce"), confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::fgsm_rs_attack
