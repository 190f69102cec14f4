#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/campaign/campaign.hpp"
#include "eval/explanation.hpp"
#include "eval/result.hpp"

namespace fercli {

/// What is to be done to the images of a data set.
struct AttackPlan {
  EmotionGoal goal;
  std::string attack = "pgd";
  AttackSettings settings;
  ThreatModel threat;
  std::string eps_text = {};  ///< eps as it was given, for results
  double min_confidence = 0.9;
  bool minimal_eps = false;  ///< also search the smallest eps of each image; not with a surrogate
  uint64_t seed = 0;
  torch::Tensor mask = {};   ///< (C,H,W), see `parse_masks`; undefined: everything may change
  Surrogate surrogate = {};  ///< images are made on it, when there is one

  /// The trial of `attack_images`, and the one that searches the smallest eps from images that the first one left.
  Trial trial() const;
  Trial nearest(const torch::Tensor& start) const;
};

/// Which images a plan concerns.
struct AttackSelection {
  std::vector<int64_t> of_source;  ///< rows of the classes to attack
  std::vector<int64_t> confident;  ///< those of them that the network classifies rightly with more than min_confidence
  torch::Tensor probabilities;     ///< (of_source.size(), K) float64 by the float32 network
  std::optional<int64_t> best;     ///< the row of `of_source` with the most confidence in its true class
};

/// `dataset` must have labels in the order of the classifier's classes.
AttackSelection select_images(const Classifier& classifier, const Dataset& dataset, const AttackPlan& plan,
                              Observer& observer = Observer::none());

/// One image and what became of it. Probabilities are those of the float32 network, in the order of the classes.
struct AttackedImage {
  std::string id;
  int64_t label;
  torch::Tensor original, adversarial;  ///< uint8 (C,H,W)
  std::vector<double> clean, after;     ///< K probabilities of each
  double linf, l2, psnr, ssim;          ///< between the two; distances with pixels in [0,1]; ssim may be NaN
  bool sure = true;    ///< the network classified the original rightly with more than the plan's min_confidence
  bool success;        ///< the stored image (see `verdict_on_stored`) reaches the goal, from an original it was sure of
  bool float_success;  ///< it does, or a point of the ball off the pixel grid did
  std::optional<double> minimal_eps = {};    ///< when searched; infinite: none found
  torch::Tensor minimal = {};                ///< uint8: the 8-bit image at that distance
  std::string file = {}, minimal_file = {};  ///< where they were saved
};

struct AttackOutcome {
  std::vector<AttackedImage> images;  ///< in the order of the rows
  nlohmann::json attack;              ///< Attack::describe
  int64_t forward = 0, backward = 0;  ///< images through the network
  std::vector<StageReport> stages;    ///< what each stage found and has cost; the search for the smallest eps last
  double seconds = 0;
  bool complete = true;  ///< false: interrupted; `images` holds what was finished
};

/// Attacks these rows of the bench's images, and judges what is stored of them. Interrupted, it returns what was
/// finished; throws Interrupted when that is nothing. A second state beside `options.state` keeps the search for the
/// smallest eps; both stay until `remove_attack_state`, for when the results are in place. Where the division wants
/// ledgers only, the outcome is empty.
AttackOutcome attack_images(const Bench& bench, const std::vector<int64_t>& rows, const AttackPlan& plan,
                            const CampaignOptions& options = {}, Observer& observer = Observer::none());

void remove_attack_state(const std::filesystem::path& state);

/// These images and `stored` (uint8, one per image) as `verdict_on_stored` sees them.
std::vector<AttackedImage> compare_stored(const Classifier& classifier, const Dataset& images,
                                          const torch::Tensor& stored, const EmotionGoal& goal,
                                          Observer& observer = Observer::none());

/// Of the images that the network was sure of: metric success_8bit and n; of all: the per-image part.
Result summarise_images(const std::vector<AttackedImage>& images, const LabelSet& classes);

/// The same with success_float, confident_share and, when searched, median_minimal_eps; threat model, attacks and
/// timing. The caller adds options, data set and model.
Result summarise(const AttackOutcome& outcome, const AttackSelection& selection, const AttackPlan& plan,
                 const LabelSet& classes);

}  // namespace fercli
