// Auto-PGD on the difference of logits ratio, which no scale of the logits can flatten; see apgd.hpp and
// dlr_loss in losses.hpp. Default: 100 steps.
//
// Deviations: as in apgd_ce.cpp. With two classes (towards a target: three) the loss is the logit margin, since the
// ratio would be constant.
#include "attacks/engine/apgd.hpp"

namespace fercli::apgd_dlr_attack {

namespace {

const Register<AttackEntry> registered{apgd_entry("dlr", "the difference of logits ratio")};

}  // namespace

}  // namespace fercli::apgd_dlr_attack
