#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/emotion_goal.hpp"

namespace fercli {

/// One step of a grid of perturbation sizes: eps as the user wrote it ("8/255") and its value.
struct Budget {
  std::string text;
  double eps;
};

/// "1/255,2/255,4/255", ascending whatever the order given, each once, without 0. Throws UserError: not numbers, out of
/// range in this norm, nothing above 0.
std::vector<Budget> parse_ladder(const std::string& text, Norm norm);

/// The network on which adversarial images are made when it is not the one that they are shown to.
struct Surrogate {
  std::shared_ptr<const Classifier> classifier = {};  ///< none: the network attacked itself
  std::string digest = {};                            ///< of its file

  /// The settings that an attack needs for it, see `transfer_settings`.
  AttackSettings fitted(const AttackSettings& settings) const;
};

/// What is tried on the images. Knows nothing of files or printing.
struct Trial {
  std::vector<std::string> attacks;  ///< names, none twice
  std::vector<Budget> ladder;        ///< the eps grid, ascending; one eps is a grid of one
  Norm norm = Norm::Linf;
  EmotionGoal goal = {};  ///< untargeted: every image; else the images of the classes it concerns
  AttackSettings settings = {};
  uint64_t seed = 0;
  torch::Tensor mask = {};     ///< (C,H,W), see `parse_masks`; undefined: everything may change
  Surrogate surrogate = {};    ///< images are made on it, when there is one
  torch::Tensor targets = {};  ///< (N) int64: where defined, a class for each image to be driven to, in place of `goal`
  torch::Tensor start = {};    ///< (N,C,H,W) float32: where the first start of each image begins, see AttackInput
  bool misclassified_too = false;  ///< else images that the network misclassifies as they are are not attacked
  bool nearest = false;      ///< attacks of a fixed budget too search the smallest eps (attacks/engine/minimal_eps.hpp)
  double nearest_limit = 0;  ///< how far nearest successes are searched at least; 0: the limit of `NormFacts`

  std::unique_ptr<Attack> attack(const std::string& name) const;  ///< as `make_attack` with everything said here
  bool one_run(const Attack& attack) const { return nearest || attack.minimum_norm(); }  ///< gives the whole grid

  bool targeted() const { return targets.defined() || goal.targeted(); }

  /// The largest perturbation in which nearest successes are searched.
  double search_limit() const;

  /// The noise of one attack; image keys and restarts split it further. The only place that names it.
  Rng noise(const std::string& attack) const { return Rng(seed).split("attack").split(attack); }
};

std::string mask_digest(const torch::Tensor& mask);  ///< by which results tell masks apart

}  // namespace fercli
