#pragma once

#include "data/audit.hpp"

namespace fercli {

/// Two images that show the same picture and are not equal pixel by pixel.
struct NearPair {
  int64_t first = 0, second = 0;  ///< rows, the first is the smaller
  double correlation = 0;         ///< of their pixels, in the window of the first and the one of the second like it
  bool mirrored = false;
  int64_t right = 0, down = 0;  ///< where the second has the first's content, in 48ths of its side
};

struct NearReport {
  std::vector<NearPair> pairs;  ///< by their rows
  int64_t images = 0;           ///< in at least one pair
  std::vector<Leak> leaks;      ///< of images that have no equal copy in the other split
  int64_t mirrored = 0, shifted = 0, conflicting = 0, across_splits = 0;  ///< pairs; conflicting: their labels differ
};

/// Looks for copies that were stored, scaled, lit, cut or mirrored anew: up to 4/48 of the side to each direction,
/// brightness and contrast of any kind. Images are looked at grey, at 48x48. A perceptual hash (the signs of the 63
/// lowest waves of a DCT) of the middle window is looked up for the windows around it and their mirror images, within 7
/// bits; whether pixels correlate by at least `min_correlation`, 0 to 1, decides. Of one image the hundred most alike
/// are kept. `equal` is what `find_equal_pixels` found.
NearReport find_near_duplicates(const Dataset& data, double min_correlation, const DuplicateReport& equal,
                                Observer& observer = Observer::none());

}  // namespace fercli
