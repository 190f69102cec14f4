#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli {

struct SmoothingOptions {
  std::vector<double> sigmas{0.06, 0.12, 0.25};  ///< standard deviations of the noise, pixels in [0,1]; small ones, as
                                                 ///< the networks here were not trained under noise
  int64_t n0 = 100;                              ///< draws that choose the class
  int64_t n = 1000;                              ///< draws that certify it
  double alpha = 0.001;                          ///< probability that a certificate is wrong
  uint64_t seed = 0;
  int64_t batch_size = 256;  ///< noisy images per network call; results do not depend on it
};

/// What is certain about one image.
struct Certificate {
  int64_t answer;  ///< class of the smoothed classifier; kAbstained: none
  double radius;  ///< L2, pixels in [0,1]: with probability 1 - alpha the answer is the same within it; 0 on abstention
  int64_t votes;  ///< draws of `n` that gave the class chosen

  static constexpr int64_t kAbstained = -1;
  bool abstained() const { return answer == kAbstained; }
};

/// CERTIFY of Cohen, Rosenfeld & Kolter, "Certified adversarial robustness via randomized smoothing" (ICML 2019,
/// arXiv:1902.02918, section 3.2): the class most frequent among n0 noisy copies, then the radius sigma Phi^-1(p), p
/// the lower Clopper-Pearson bound at 1 - alpha of its share among n fresh copies; abstains where p <= 1/2. Noise is
/// added to the pixels and not cut at [0,1].
///
/// The certificate is about the smoothed classifier whose base is `classifier` as given, in its own precision. images:
/// uint8 (N,C,H,W). Noise is keyed by seed, image (its pixels) and draw: the same for all sigmas, whatever the batch.
/// Returns one list per sigma. Throws UserError on options out of range; Interrupted.
std::vector<std::vector<Certificate>> certify(const Classifier& classifier, const torch::Tensor& images,
                                              const SmoothingOptions& options, Observer& observer = Observer::none());

/// Certified accuracy on these images:
///
///     {"sigma": […], "n0", "n", "alpha", "images", "seed", "precision": "fp32" | "bf16", "note",
///      "curves": [{"sigma", "radius": […], "certified_accuracy": [Metric of each radius], "abstained": images,
///                  "accuracy": Metric, "average_certified_radius": Metric, "largest_radius"}, …],
///      "per_image": [{"id", "label", "answer": [class name | null of each sigma], "radius": [of each sigma]}, …],
///      "cost": {"forward", "backward": 0, "seconds"}}
///
/// certified_accuracy at r: share of all images whose answer is right with a radius above r, an abstention counting as
/// wrong; r runs in steps of sigma/10 from 0 to beyond the largest radius that n draws can certify. accuracy: right
/// answers, at r = 0. average_certified_radius: over all images, 0 where the answer is wrong (Zhai et al.,
/// arXiv:2001.02378). Labels must be in the order of the classifier's classes.
nlohmann::json study_smoothing(const Classifier& classifier, const Dataset& dataset, const SmoothingOptions& options,
                               Observer& observer = Observer::none());

}  // namespace fercli
