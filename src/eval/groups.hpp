#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/dataset.hpp"

namespace fercli {

/// Groups of fewer images are shown, but take no part in the comparison.
inline constexpr int64_t kFewestOfGroup = 10;

/// Whether images are right, in the order of the data set: as they are, or under attack at one eps.
struct GroupQuantity {
  std::string eps;             ///< "": on unaltered images
  std::vector<int64_t> right;  ///< of each image 1, 0, or -1 where it was not measured
};

/// How good a network is for each group of each column:
///
///     {"fewest": 10, "draws": 9999, "columns": [{"column": "glasses", "unknown": 3, "groups": [{"group": "no", "n":
///     61,
///      "accuracy": Metric, "robust": [{"eps": "4/255", "accuracy": Metric}, …]}, …], "gaps": [{"eps": "" or "4/255",
///      "best": "no", "worst": "yes", "difference": Metric, "test": "Fisher's exact" or "permutation", "p", "p_holm"},
///      …]}, …]}
///
/// A gap is that of the best and the worst group: of two groups Fisher's exact test, of more the permutation test of
/// the largest gap (group_tests.hpp); p_holm is corrected for all gaps of the table (Holm 1979). There is none where
/// fewer than two groups have `kFewestOfGroup` images. The first quantity is the one on unaltered images.
nlohmann::json compare_groups(const std::vector<GroupColumn>& columns, const std::vector<GroupQuantity>& quantities,
                              uint64_t seed);

nlohmann::json groups_schema();

}  // namespace fercli
