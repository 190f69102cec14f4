#pragma once

#include <memory>
#include <string>

#include "attacks/engine/attack.hpp"

namespace fercli {

/// The network on which adversarial images are made when it is not the one that they are shown to.
struct Surrogate {
  std::shared_ptr<const Classifier> classifier;  ///< none: the network attacked itself
  std::string digest;                            ///< of its file

  /// The settings that an attack needs for it, see `transfer_settings`.
  AttackSettings fitted(const AttackSettings& settings) const;

  /// The network that the search looks at.
  const Classifier& searched(const Classifier& target) const { return classifier ? *classifier : target; }

  /// `attack` on `target`, directly or through the surrogate.
  AttackResult run(const Attack& attack, const Classifier& target, const ThreatModel& threat, const AttackInput& input,
                   const Rng& rng) const;
};

}  // namespace fercli
