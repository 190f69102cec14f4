#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/emotion_goal.hpp"
#include "data/dataset.hpp"
#include "eval/result.hpp"
#include "eval/surrogate.hpp"

namespace fercli {

/// The entries of one row, as AttackedImage keeps probabilities.
std::vector<double> row_values(const torch::Tensor& matrix, int64_t row);

/// Images attacked side by side; progress and interruption in between.
inline constexpr int64_t kAttackGroup = 256;

/// What is to be done to the images of a data set.
struct AttackPlan {
  EmotionGoal goal;
  std::string attack = "pgd";
  AttackSettings settings;
  ThreatModel threat;
  double min_confidence = 0.9;
  bool minimal_eps = false;  ///< also search the smallest eps of each image; not with a surrogate
  uint64_t seed = 0;
  torch::Tensor mask = {};   ///< (C,H,W), see `parse_masks`; undefined: everything may change
  Surrogate surrogate = {};  ///< images are made on it, when there is one
};

/// Which images a plan concerns.
struct AttackSelection {
  std::vector<int64_t> of_source;  ///< rows of the classes to attack
  std::vector<int64_t> confident;  ///< those of them that the network classifies rightly with more than min_confidence
  torch::Tensor probabilities;     ///< (of_source.size(), K) float64 by the float32 network
  std::optional<int64_t> best;     ///< the row of `of_source` with the most confidence in its true class
};

/// `dataset` must have labels in the order of the classifier's classes.
AttackSelection select_images(const Classifier& classifier, const Dataset& dataset, const AttackPlan& plan);

/// One image and what became of it. Probabilities are those of the float32 network, in the order of the classes.
struct AttackedImage {
  std::string id;
  int64_t label;
  torch::Tensor original, adversarial;  ///< uint8 (C,H,W)
  std::vector<double> clean, after;     ///< K probabilities of each
  double linf, l2, psnr, ssim;          ///< between the two; distances with pixels in [0,1]; ssim may be NaN
  bool sure;           ///< the network classified the original rightly with more than the plan's min_confidence
  bool success;        ///< the 8-bit image reaches the goal, from an original that the network was sure of
  bool float_success;  ///< it does, or a point of the ball off the pixel grid did
  std::optional<double> minimal_eps;         ///< when searched; infinite: none found
  torch::Tensor minimal = {};                ///< uint8: the 8-bit image at that distance
  std::string file = {}, minimal_file = {};  ///< where they were saved
};

struct AttackOutcome {
  std::vector<AttackedImage> images;  ///< in the order of the rows
  nlohmann::json attack;              ///< Attack::describe
  int64_t forward = 0, backward = 0;  ///< images through the network
  double seconds = 0;
  bool complete = true;  ///< false: interrupted; `images` holds what was finished
};

/// Attacks these rows of the data set. Throws Interrupted when interrupted before anything was finished.
AttackOutcome attack_images(const Classifier& classifier, const Dataset& dataset, const std::vector<int64_t>& rows,
                            const AttackPlan& plan);

/// The smallest eps is searched up to here, in steps of this size.
double minimal_eps_limit(Norm norm);       ///< 64/255 in Linf, 8 in L2, 128 in L1, 1024 values in L0
double minimal_eps_resolution(Norm norm);  ///< 1/255 in Linf, 0.01 in L2, 0.1 in L1, 1 value in L0

/// The figures are about the images that the network was sure of: `n` of them. Metrics success_8bit, success_float,
/// confident_share and, when searched, median_minimal_eps; n, threat model, attacks, per-image part and timing. The
/// caller adds options, data set and model.
Result summarise(const AttackOutcome& outcome, const AttackSelection& selection, const AttackPlan& plan,
                 const LabelSet& classes);

}  // namespace fercli
