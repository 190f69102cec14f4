#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/emotion_goal.hpp"
#include "data/dataset.hpp"
#include "eval/surrogate.hpp"

namespace fercli {

/// One step of a ladder of perturbation sizes: eps as the user wrote it ("8/255") and its value.
struct Rung {
  std::string text;
  double eps;
};

/// "1/255,2/255,4/255". Throws UserError: not numbers, not ascending, out of range in this norm.
std::vector<Rung> parse_ladder(const std::string& text, Norm norm);

/// What is to be found out about a network.
struct RobustnessPlan {
  std::vector<std::string> attacks;  ///< names, none twice
  std::vector<Rung> ladder;          ///< ascending
  Norm norm = Norm::Linf;
  EmotionGoal goal;  ///< untargeted: every image; else the images of the classes it concerns
  AttackSettings settings;
  uint64_t seed = 0;
  torch::Tensor mask = {};   ///< (C,H,W), see `parse_masks`; undefined: everything may change
  Surrogate surrogate = {};  ///< images are made on it, when there is one
};

std::string mask_digest(const torch::Tensor& mask);  ///< by which results tell masks apart

/// What one attack did to the M images.
struct AttackRecord {
  std::string name;
  Access access;
  bool minimum_norm = false;  ///< one run gave the whole ladder
  bool single_step = false;
  bool transferred = false;  ///< made on a surrogate
  std::vector<std::string> stages;
  nlohmann::json settings;    ///< Attack::describe at the largest eps
  torch::Tensor broken;       ///< (M) int64: the first rung at which the goal was reached; ladder.size(): none
  torch::Tensor answer;       ///< (M) int64: the class given to the adversarial image; valid where it exists
  torch::Tensor distance;     ///< (M) float64: how far that image is; infinite: none was found
  torch::Tensor stage;        ///< (M) int64: which of `stages` found it; -1: none
  torch::Tensor adversarial;  ///< uint8 (M,C,H,W) that image; undefined off the pixel grid
  std::vector<int64_t> forward, backward;  ///< images through the network at each rung
  std::vector<double> seconds;             ///< at each rung
  torch::Tensor settled;                   ///< (M) int64: runs (one per rung, or one for all) decided so far
};

/// The name, beside those of the attacks, of all of them taken together.
inline constexpr const char* kWorstCase = "worst";

/// How images fare under several attacks.
///
/// An image that the network misclassifies as it stands is not robust at any eps and is not attacked. An image broken
/// at some eps counts as broken at every larger one, because its adversarial image lies in the larger ball too, and is
/// not attacked there again. A minimum-norm attack runs once; an image is broken from the first rung that holds the
/// nearest success it found.
struct Robustness {
  std::vector<int64_t> rows;  ///< M rows of the data set: those the goal concerns
  torch::Tensor labels;       ///< (M) int64
  torch::Tensor verdict;      ///< (M) int64: what the float32 network says of the original
  std::vector<AttackRecord> attacks;

  int64_t size() const { return labels.size(0); }
  torch::Tensor right() const { return verdict.eq(labels); }  ///< (M) bool

  /// (M) int64: what the network says of each image when the attack may use this rung; an image that the attack does
  /// not break keeps its clean verdict. Right exactly where the image is robust.
  torch::Tensor answers(const AttackRecord& attack, int64_t rung) const;

  /// All attacks taken together, named kWorstCase: each image by the attack that broke it at the smallest rung (of
  /// several, the first).
  AttackRecord worst() const;
};

/// The largest perturbation in which a minimum-norm attack searches.
double search_limit(const RobustnessPlan& plan);

/// Runs the plan on `dataset`, whose labels must be in the order of the classifier's classes. With `state`, finished
/// groups of 64 images are kept in that file (a killed program loses the group it was at, and at most ten seconds of
/// finished ones), and the same call goes on where it stopped, with exactly the results of an undisturbed run.
/// `model_digest` and `describe_classifier` tell models apart there. Throws UserError when the file belongs to another
/// plan, model or data set; Interrupted on Ctrl-C.
Robustness measure_robustness(const Classifier& classifier, const std::string& model_digest, const Dataset& dataset,
                              const RobustnessPlan& plan, const std::optional<std::filesystem::path>& state);

}  // namespace fercli
