#pragma once

#include "attacks/engine/attack.hpp"

namespace fercli {

/// An attack of several stages, each on the images that the ones before left standing.
class Cascade : public Attack {
 public:
  using Attack::Attack;

  /// Which of `stages` each part of a start belongs to. What a part costs is counted for its stage: of the first one
  /// with the look at the original, of the last one with the verdict on what is left.
  virtual std::vector<int64_t> stages_of_parts(Norm norm, bool targeted, int64_t classes) const = 0;
};

}  // namespace fercli
