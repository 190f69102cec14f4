// Basic iterative method: FGSM in small steps from the original.
// Kurakin, Goodfellow and Bengio, "Adversarial examples in the physical world", arXiv:1607.02533, sec. 2.2.
//
// Default: 10 steps of eps / steps on the cross-entropy. Deviations: the paper takes steps of one grey level, as many
// as the larger eps of the two rules min(eps + 4, 1.25 eps) in grey levels gives; here their number is the same for
// every eps, so that the cost is, and the last step can reach the border of the ball (`alpha` and `steps` set the
// paper's). The network sees the image that an 8-bit file would hold, and the best image is returned, not the last.
// Deterministic: restarts and random_start are not used. Searches in bfloat16, as PGD does and for its reasons.
#include "attacks/engine/descent.hpp"

namespace fercli::bim_attack {

namespace {

const Register<AttackEntry> registered{
    {"bim",
     "small steps along the sign of the gradient, from the original",
     Access::Gradients,
     {Norm::Linf},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Kurakin et al., arXiv:1607.02533",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Descent>(setup, 1.0); },
     {shared_parameter("steps", "10"), shared_parameter("alpha"), shared_parameter("loss", "ce"),
      confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::bim_attack
