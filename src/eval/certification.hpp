#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/smoothing.hpp"
#include "models/classifier.hpp"
#include "models/graph/linf_bounds.hpp"
#include "record/fields.hpp"

namespace fercli {

/// One image, and how far it is certain.
struct CertifiedImage {
  std::string id, label, answer;  ///< answer "": the smoothed network abstains
  bool certified = false;         ///< the answer is right, and the same everywhere in the ball
  double slack = 0;  ///< patch: the label's votes ahead of any other class's, less those that a patch can change; else
                     ///< linf: the least margin of the label's logit over any other, above 0 where certified; l2: how
                     ///< far the certified radius exceeds that of the ball
};

/// What is certain about a network on some images.
struct Certification {
  std::string norm;   ///< "linf" | "l2" | "patch"
  double eps = 0;     ///< radius of the ball, pixels in [0,1]; NaN of patches
  std::string about;  ///< what the certificate is about, and how sure it is
  nlohmann::json settings;
  Metric accuracy{}, certified{};
  std::optional<Metric> by_intervals = {};  ///< linf: what interval bounds alone certify
  std::vector<CertifiedImage> per_image = {};
};

template <class Visitor>
void visit_fields(Visitor& field, CertifiedImage& image) {
  field("id", image.id, "of the data set");
  field("label", image.label, "class");
  field("answer", image.answer, "class; empty: abstained");
  field("certified", image.certified, "the answer is right, and the same everywhere in the ball");
  field("slack", image.slack,
        "linf: least margin of the logits; l2: certified radius less eps; patch: votes ahead, less those that it can "
        "change");
}

template <class Visitor>
void visit_fields(Visitor& field, Certification& found) {
  field("norm", found.norm, "linf, l2 or patch");
  field("eps", found.eps, "radius of the ball, pixels in [0,1]; patch: null");
  field("about", found.about, "what is certain of which network");
  field("settings", found.settings, "of smoothing, or of patch and bands; empty with linf", shape::open_object({}));
  field("accuracy", found.accuracy, "right answers");
  field("certified_accuracy", found.certified, "right answers that are the same everywhere in the ball");
  field.optional("by_intervals", found.by_intervals, "certified accuracy by interval bounds alone");
  field("per_image", found.per_image, "in the order of the data");
}

/// Linf, by bounds of the float32 network. `classifier`: the same network, whose answers count; labels in the order of
/// its classes. Throws Interrupted.
Certification certify_linf(const LinfBounds& bounds, const Classifier& classifier, const Dataset& dataset, double eps,
                           Observer& observer = Observer::none());

/// L2, by randomised smoothing with the first of the sigmas (eval/smoothing.hpp).
Certification certify_l2(const Classifier& classifier, const Dataset& dataset, double eps,
                         const SmoothingOptions& options, Observer& observer = Observer::none());

/// Any square patch of this side, anywhere, with any content.
struct PatchThreat {
  int64_t side;  ///< pixels of the stored image
  int64_t band;  ///< columns that each vote sees
};

/// What the network answers to each band of columns of x (1,C,H,W), the rest of the image grey; bands go around the
/// edge. Returns the number of votes of each class, of as many as x has columns.
std::vector<int64_t> band_votes(const Classifier& classifier, const torch::Tensor& x, int64_t band);

/// Derandomised smoothing by bands (Levine & Feizi, arXiv:2002.10733): the answer is the class with most votes, of
/// equals the first. A patch of side m meets at most m + band - 1 bands, so that a lead of twice as many votes is
/// certain. Without their threshold: each band has one vote; and grey stands for what is hidden, where they have
/// channels of its own, so that any network can be certified. Throws UserError: a side or band that the images do not
/// have.
Certification certify_patch(const Classifier& classifier, const Dataset& dataset, const PatchThreat& threat,
                            Observer& observer = Observer::none());

}  // namespace fercli
