#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/image_outcomes.hpp"

namespace fercli {

/// What must hold on the same images if the attacks are as strong as they should be:
///
/// certified <= autoattack <= pgd <= fgsm <= clean at each eps that two neighbours of this row share (certified: in
/// L2); robust accuracy falls as eps grows; the certified share falls as the radius grows
///
/// Returns a list of {"name": "autoattack <= pgd", "model", "norm", "eps",
/// "n", "values": [shares of the n images], "holds", "note" (where a violation needs one)}.
nlohmann::json check_invariants(const ImageOutcomes& outcomes, const std::string& model);

/// Of those that do not hold: "standard: autoattack <= pgd does not hold at Linf eps 4/255: 12.0 % against 11.5 % of
/// 200 images".
std::vector<std::string> violations_in(const nlohmann::json& invariants);

}  // namespace fercli
