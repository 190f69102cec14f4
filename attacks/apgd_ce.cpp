// Auto-PGD on the cross-entropy; see apgd.hpp. Default: 100 steps.
//
// Deviation: the first start begins at the original unless `random_start` asks otherwise, as everywhere in this
// library; the authors' begins at a random point. Towards a target it descends the target's cross-entropy and counts
// the target alone, which the authors' code has no mode for.
#include "attacks/engine/apgd.hpp"

namespace fercli::apgd_ce_attack {

namespace {

const Register<AttackEntry> registered{apgd_entry("ce", "the cross-entropy")};

}  // namespace

}  // namespace fercli::apgd_ce_attack
