#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "eval/image_outcomes.hpp"

namespace fercli {

/// Adds the part `groups` (`compare_groups`) of every network to the parts of a result or a measured report: accuracy
/// from the outcomes of the images as they are, and where there is the part robustness, what its attacks together leave
/// at each eps. `columns` are in the order of the images; without any nothing is added.
void add_group_part(nlohmann::json& parts, const std::map<std::string, ImageOutcomes>& outcomes,
                    const std::vector<GroupColumn>& columns, uint64_t seed);

}  // namespace fercli
