#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/campaign/campaign.hpp"
#include "eval/measures/metrics.hpp"

namespace fercli {

/// The adversarial images that an evaluation claims: for each image that some attack broke, the one that broke it at
/// the smallest eps.
///
/// The file is a packed data set (a fercli container of kind "dataset", which `torch.load` reads as a dictionary too),
/// so every command takes it as --data. Tensors: images uint8 (M,C,H,W); labels int64 (M), the true classes; splits;
/// rows int64 (M), each original's place among the images evaluated; eps float64 (M), the size claimed. Header: name,
/// classes, ids, and "adversarial": {"norm", "goal", "ladder", "model", "model_digest", "data", "data_digest", "split",
/// "limit", "tta", "n"}, where data_digest and n are those of the images evaluated.
struct AdversarialSet {
  Dataset images;
  torch::Tensor rows, eps;
  nlohmann::json claim;
};

/// `evaluated`: the data set that was attacked. `claim`: model, model_digest, data, split, limit and tta; the rest is
/// added. Throws UserError when the evaluation ran off the pixel grid.
AdversarialSet collect_adversarial(const Ledger& robustness, const Trial& plan, const Dataset& evaluated,
                                   nlohmann::json claim);

void save_adversarial(const AdversarialSet& set, const std::filesystem::path& path);

/// Throws UserError: unreadable, not a packed data set, or one without adversarial images.
AdversarialSet load_adversarial(const std::filesystem::path& path);

/// What is left of the claims when every stored image is evaluated again.
struct Verification {
  int64_t images = 0;
  std::vector<std::string> too_far;      ///< ids: outside the ball of the eps claimed
  std::vector<std::string> not_reached;  ///< ids: the float32 network does not give the class that the goal wants
  std::vector<std::string> not_right;    ///< ids: the original is misclassified, so it proves nothing
  /// (eps as written, share of all images evaluated that are classified rightly and have no stored image within eps):
  /// what the evaluation's worst case must equal.
  std::vector<std::pair<std::string, Metric>> robust_accuracy;

  bool holds() const { return too_far.empty() && not_reached.empty() && not_right.empty(); }
};

/// Throws UserError when the model or the images that were attacked are not those of the claim.
void require_claimed(const AdversarialSet& set, const Dataset& evaluated, const std::string& model_digest);

/// `evaluated`: the images that were attacked. Throws UserError when they or the model are not those of the claim.
Verification verify_adversarial(const AdversarialSet& set, const Dataset& evaluated, const Classifier& classifier,
                                const std::string& model_digest, Observer& observer = Observer::none());

}  // namespace fercli
