#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "attacks/threat_model.hpp"
#include "core/random.hpp"
#include "core/registry.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// What an attack is asked to perturb.
struct AttackInput {
  torch::Tensor x;             ///< (N,C,H,W) float32 in [0,1]
  Goal goal;                   ///< N labels or targets
  std::vector<int64_t> index;  ///< N numbers that identify the images: they key each image's noise
};

struct AttackResult {
  torch::Tensor x_adv;     ///< (N,C,H,W) float32 in [0,1], inside the ball; x itself where nothing was found
  torch::Tensor success;   ///< (N) bool, judged by the float32 network on x_adv
  torch::Tensor distance;  ///< (N) float32, |x_adv - x| in the threat model's norm
  int64_t forward = 0, backward = 0;  ///< images sent through the network
};

/// The knobs of iterative attacks; each attack documents which it uses.
struct AttackSettings {
  double alpha = 0;      ///< step size in the norm's units; 0: the attack's own rule
  int64_t steps = 0;     ///< 0: the attack's own default
  int64_t restarts = 1;  ///< independent random starts; the first success of an image ends its search
  bool pixel_grid = true;  ///< end on multiples of 1/255 inside the ball, so that an 8-bit file holds the result exactly
};

/// A way to search the ball of a threat model for an image that reaches the goal.
/// `run` is not virtual: it validates, restarts, drops solved images from the batch (eval-mode images are independent,
/// so no decision changes), projects, rounds to the pixel grid and judges with the float32 network. Subclasses only
/// implement `perturb` for one start of the images still unsolved.
class Attack {
 public:
  explicit Attack(AttackSettings settings) : settings_(settings) {}
  virtual ~Attack() = default;

  AttackResult run(const Classifier& classifier, const ThreatModel& threat, const AttackInput& input, const Rng& rng) const;

  const AttackSettings& settings() const { return settings_; }
  virtual nlohmann::json describe(const ThreatModel& threat) const = 0;  ///< name and effective parameters

 protected:
  AttackSettings settings_;
};

}  // namespace fercli
