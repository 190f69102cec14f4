#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "eval/result_shapes.hpp"
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

/// (N) int64: the answer of each row of logits (N,K). Throws RunError when the network gives NaN, of which a
/// certificate would make an answer.
torch::Tensor answers_of(const torch::Tensor& logits);

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

/// What is certain about all images with one sigma.
struct CertifiedCurve {
  double sigma = 0;
  std::vector<double> radius;  ///< in steps of sigma/10 from 0 to beyond the largest radius that n draws can certify
  std::vector<Metric> certified_accuracy;     ///< share of all images whose answer is right with a radius above
  int64_t abstained = 0;                      ///< counts as wrong
  Metric accuracy, average_certified_radius;  ///< the latter over all images, 0 where the answer is wrong (Zhai et al.,
                                              ///< arXiv:2001.02378)
  double largest_radius = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, CertifiedCurve& curve) {
  field("sigma", curve.sigma);
  field("radius", curve.radius, "in L2");
  field("certified_accuracy", curve.certified_accuracy, "at each radius");
  field("abstained", curve.abstained, "images");
  field("accuracy", curve.accuracy);
  field("average_certified_radius", curve.average_certified_radius);
  field("largest_radius", curve.largest_radius, "that these draws can certify");
}

/// Certified accuracy on a set of images.
struct SmoothingStudy {
  std::vector<double> sigma;
  int64_t n0 = 0, n = 0;
  double alpha = 0;
  int64_t images = 0;
  uint64_t seed = 0;
  std::string precision;  ///< "fp32" | "bf16"
  std::string note;
  std::vector<CertifiedCurve> curves;  ///< of each sigma
};

template <class Visitor>
void visit_fields(Visitor& field, SmoothingStudy& study) {
  field.open();
  field("sigma", study.sigma);
  field("n0", study.n0, "draws that choose the class");
  field("n", study.n, "draws that certify it");
  field("alpha", study.alpha, "", shape::share());
  field("images", study.images);
  field("seed", study.seed);
  field("precision", study.precision);
  field("note", study.note);
  field("curves", study.curves);
}

struct SmoothedImage {
  std::string id, label;
  std::vector<std::optional<std::string>> answer;  ///< class with each sigma; none: abstained
  std::vector<double> radius;                      ///< of each sigma
};

template <class Visitor>
void visit_fields(Visitor& field, SmoothedImage& image) {
  field("id", image.id);
  field("label", image.label);
  field("answer", image.answer);
  field("radius", image.radius);
}

/// The same with what is certain about each image.
struct SmoothedImages {
  SmoothingStudy study;
  std::vector<SmoothedImage> per_image;
  Cost cost;
};

template <class Visitor>
void visit_fields(Visitor& field, SmoothedImages& images) {
  visit_fields(field, images.study);
  field("per_image", images.per_image);
  field("cost", images.cost);
}

/// Labels must be in the order of the classifier's classes.
SmoothedImages study_smoothing(const Classifier& classifier, const Dataset& dataset, const SmoothingOptions& options,
                               Observer& observer = Observer::none());

}  // namespace fercli
