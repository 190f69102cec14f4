#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.hpp"

namespace fercli {

/// `count` rows of a labelled data set, in ascending order, each class in proportion to its size (largest remainders).
/// Which images of a class belong to the subset depends on their pixels alone, not on order or seed, and a larger
/// subset of a class contains the smaller ones, so that runs on subsets can be compared image by image. All rows when
/// there are not more than `count`.
std::vector<int64_t> stratified_rows(const Dataset& dataset, int64_t count);

/// These rows; 0: all.
Dataset subset(const Dataset& dataset, int64_t count);

}  // namespace fercli
