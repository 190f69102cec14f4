// Auto-PGD on the difference of logits ratio, which no scale of the logits can flatten; see apgd.hpp and
// dlr_loss in losses.hpp. Default: 100 steps.
//
// Deviations: as in apgd_ce.cpp. With two classes (towards a target: three) the loss is the logit margin, since the
// ratio would be constant.
#include "attacks/apgd.hpp"

namespace fercli::apgd_dlr_attack {

namespace {

const Register<AttackEntry> registered{
    {"apgd-dlr",
     "Auto-PGD, which chooses its own step sizes, on the difference of logits ratio",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1},
     true,
     true,
     "steps x (forward + backward) + 1 forward, until solved",
     "Croce & Hein, arXiv:2003.01690; L1: arXiv:2103.01208",
     [](const AttackSettings& settings) -> std::unique_ptr<Attack> { return std::make_unique<Apgd>(settings, "dlr"); },
     {"steps", "restarts", "random-start", "loss", "confidence"}}};

}  // namespace

}  // namespace fercli::apgd_dlr_attack
