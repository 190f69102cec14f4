#pragma once

#include <map>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/emotion_goal.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// The attack view: every face of every frame is perturbed within eps (Linf), each starting from the perturbation that
/// worked in the frame before.
struct LiveAttackSettings {
  EmotionGoal goal;
  double eps = 4 / 255.0;
  int64_t steps = 4;
};

/// One face before and after.
struct PerturbedFace {
  int64_t id = 0;
  bool concerned = false;               ///< false: the goal does not concern the emotion seen; nothing was done
  bool success = false;                 ///< the float32 network says so of the 8-bit image
  torch::Tensor original, adversarial;  ///< uint8 (C,S,S)
  std::vector<double> before, after;    ///< probabilities
  std::vector<double> robust_before, robust_after;  ///< of the defending network; empty without one
  int64_t largest_change = 0;                       ///< in 1/255
};

/// What the view has cost and reached so far.
struct LiveAttackTally {
  int64_t faces = 0, successes = 0;  ///< faces that the goal concerned
  int64_t defended = 0;              ///< of these, with the defending network still in the class it saw before
  int64_t forward = 0, backward = 0;
  double milliseconds = 0;  ///< of the last frame
};

class LiveAttack {
 public:
  /// The classifiers must outlive this object; `defender` may be null.
  LiveAttack(const Classifier& classifier, const Classifier* defender, LiveAttackSettings settings);

  struct Face {
    int64_t id;
    torch::Tensor crop;                 ///< uint8 (C,S,S)
    std::vector<double> probabilities;  ///< what the network says of it
  };

  /// All faces of one frame, attacked in one batch.
  std::vector<PerturbedFace> perturb(const std::vector<Face>& faces);

  void set_eps(double eps) { settings_.eps = eps; }
  const LiveAttackSettings& settings() const { return settings_; }
  const LiveAttackTally& tally() const { return tally_; }
  const Classifier* defender() const { return defender_; }  ///< null where there is none

 private:
  void attack_rows(const std::vector<Face>& faces, const std::vector<size_t>& rows,
                   std::vector<PerturbedFace>& perturbed);
  torch::Tensor warm_start(const std::vector<Face>& faces, const std::vector<size_t>& rows, const torch::Tensor& x);
  void ask_defender(std::vector<PerturbedFace>& perturbed);

  const Classifier& classifier_;
  const Classifier* defender_;
  LiveAttackSettings settings_;
  std::map<int64_t, torch::Tensor> deltas_;  ///< by face, float32 (C,S,S)
  LiveAttackTally tally_;
};

}  // namespace fercli
