#pragma once

#include <torch/types.h>

#include <vector>

#include "faces/picture.hpp"

namespace fercli {

/// Finds hard cuts of a video: frames that have little to do with the one before. Brightness as a whole does not count,
/// so that light that is switched on is no cut; a movement that changes much of the picture is compared with those
/// before it.
class CutDetector {
 public:
  /// The next frame: whether a cut lies before it. Never for the first.
  bool is_cut(const Picture& picture);

 private:
  std::vector<float> last_;  ///< the frame before in few large pixels, its mean taken away
  double usual_ = 0;         ///< running mean of the differences
};

}  // namespace fercli
