// Projected gradient descent.
// Madry et al., "Towards deep learning models resistant to adversarial attacks", arXiv:1706.06083.
//
// Default: 20 steps of 2.5 eps / steps (a step size that can cross the ball from any start, 2.5 times over), on the
// cross-entropy. Deviations: the first start begins at the original, as in the basic iterative method (Kurakin et al.,
// arXiv:1607.02533), because solved images then lie much nearer to it; further starts, and with `random_start` the
// first too, begin at a random point as in the paper. The iterate is kept off the pixel grid and moves by full steps;
// the network sees, and the gradient is taken at, the image that an 8-bit file would hold (see Ball::exportable). The
// best image over all steps and starts is returned, not the last. How the defaults were chosen:
// experiments/attack-settings.md. L1: sparse steps, Tramer and Boneh, arXiv:1904.13000.
//
// Searches in bfloat16: only the direction of the gradient is used, each step is as long as any error in it, and the
// loss goes on rising past the boundary, so that how finely this is seen decides nothing.
#include "attacks/engine/descent.hpp"

namespace fercli::pgd_attack {

namespace {

const Register<AttackEntry> registered{
    {"pgd",
     "projected gradient descent, restarted from random points",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Madry et al., arXiv:1706.06083",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Descent>(setup, 2.5); },
     {shared_parameter("steps", "20"), shared_parameter("alpha"), shared_parameter("restarts"),
      shared_parameter("random-start"), shared_parameter("loss", "ce"), confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::pgd_attack
