#pragma once

#include <cstdint>
#include <vector>

#include "core/random.hpp"
#include "eval/measures/metrics.hpp"

namespace fercli {

/// How many of a group's images are right.
struct GroupCount {
  int64_t right = 0, n = 0;
};

/// Two-sided Fisher's exact test (Fisher 1922): the probability, given the margins, of a table of two groups that is
/// not more probable than this one, if both are equally good. 1 where a group is empty.
double fisher_exact(const GroupCount& one, const GroupCount& other);

/// Permutation test of the largest gap: the probability, if the groups are equally good, that the best and the worst of
/// them lie at least as far apart as here, from `draws` random divisions of the images into groups of these sizes. The
/// observed one is counted in, so that it is never 0. Choosing best and worst after the fact is part of each draw.
double largest_gap_test(const std::vector<GroupCount>& groups, int64_t draws, const Rng& rng);

/// Accuracy of the first minus that of the second, with Newcombe's interval from the two Wilson intervals (Statistics
/// in Medicine 1998, method 10). NaN where a group is empty.
Metric group_difference(const GroupCount& one, const GroupCount& other);

}  // namespace fercli
