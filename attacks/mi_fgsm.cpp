// Momentum iterative FGSM: steps follow the accumulated gradients, which carries over to other networks better.
// Dong et al., "Boosting adversarial attacks with momentum", arXiv:1710.06081, alg. 1; L2: eq. 8, projected.
//
// Default: 10 steps of eps / steps, decay 1, on the cross-entropy, from the original, as in the paper. Deviations: the
// network sees the image that an 8-bit file would hold, and the best image is returned, not the last. Deterministic:
// restarts and random_start are not used. Searches in bfloat16: a mean of gradients is less sensitive still than one.
#include "attacks/engine/descent.hpp"

namespace fercli::mi_fgsm_attack {

namespace {

const Register<AttackEntry> registered{
    {"mi-fgsm",
     "small steps along the sign of accumulated gradients, from the original",
     Access::Gradients,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Dong et al., arXiv:1710.06081",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Descent>(setup, 1.0); },
     {shared_parameter("steps", "10"), shared_parameter("alpha"), shared_parameter("loss", "ce"),
      Parameter::number("decay", "1", at_least(0), "what the gradients before count at each further step"),
      confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::mi_fgsm_attack
