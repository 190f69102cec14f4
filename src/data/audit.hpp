#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"

namespace fercli {

/// Rows of a data set that hold the same picture, two or more.
struct DuplicateGroup {
  std::vector<int64_t> rows;  ///< ascending
  bool conflicting = false;   ///< their labels differ (rows without a label agree with any)
  bool across_splits = false;
};

/// How many images of one split are in another too.
struct Leak {
  Split from, into;
  int64_t images = 0;       ///< of `from`, that have a copy in `into`
  int64_t other_label = 0;  ///< of those, with a copy in `into` under another label
  int64_t total = 0;        ///< images of `from`
};

/// Groups of equal images and what they mean for an experiment.
struct DuplicateReport {
  std::vector<DuplicateGroup> groups;  ///< in order of their first row
  std::vector<Leak> leaks;             ///< later splits into earlier ones; only those with images
  int64_t redundant = 0;               ///< images that could be left out: size - 1, summed over the groups
  int64_t conflicting = 0;             ///< groups whose labels differ
  int64_t across_splits = 0;           ///< groups that span splits
};

/// Groups the rows with equal keys. `key(row)` is a digest of the image's file or its pixels.
DuplicateReport find_duplicates(const Dataset& data, const std::function<std::string(int64_t)>& key,
                                Observer& observer = Observer::none());

/// Equal pixels, as the data set was read.
DuplicateReport find_equal_pixels(const Dataset& data, Observer& observer = Observer::none());

/// Equal files (SHA-256), for a data set read from the folder `root`. Throws UserError when a file cannot be read.
DuplicateReport find_equal_files(const Dataset& data, const std::string& root, Observer& observer = Observer::none());

/// Images without content: the standard deviation of their pixels is under `threshold` (of 255).
std::vector<int64_t> find_blank(const Dataset& data, double threshold = 3);

}  // namespace fercli
