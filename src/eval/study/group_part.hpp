#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "data/dataset.hpp"

namespace fercli {

/// Adds the part `groups` (`compare_groups`) of every network of a measured report: accuracy from the outcomes of the
/// part clean, and where there is the part robustness, what its attacks together leave at each eps. `columns` are in
/// the order of the images. The figures are those of `fercli eval --groups` on the same images with the same attacks.
void add_group_part(nlohmann::json& report, const std::vector<GroupColumn>& columns);

}  // namespace fercli
