#include "eval/certification.hpp"

#include <ATen/ATen.h>

#include "attacks/engine/attack.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"

namespace fercli {

namespace {

constexpr const char* kAboutBounds =
    "proved for the network in float32 arithmetic: bounds with a slack for every rounding of it, for any order of its "
    "sums";
constexpr const char* kAboutNoise =
    "the smoothed network: the most frequent answer under Gaussian noise of this sigma; each certificate is wrong with "
    "at most the probability alpha";

constexpr const char* kAboutBands =
    "the smoothed network: the most frequent answer to bands of columns; proved for any patch of this side, anywhere, "
    "with any content";
constexpr double kHidden = 0.5;  ///< the grey behind a band

/// Counts right and certified answers.
void count_answers(Certification& found) {
  int64_t right = 0, certified = 0;
  const auto n = static_cast<int64_t>(found.per_image.size());
  for (const auto& image : found.per_image) {
    right += image.answer == image.label;
    certified += image.certified;
  }
  found.accuracy = proportion(right, n);
  found.certified = proportion(certified, n);
}

/// By how many votes the label is ahead; of equals the first class wins.
int64_t lead_of(int64_t label, const std::vector<int64_t>& votes) {
  int64_t most = 0;
  for (int64_t k = 0; k < static_cast<int64_t>(votes.size()); ++k) {
    if (k != label) most = std::max(most, votes[static_cast<size_t>(k)] + (k < label ? 1 : 0));
  }
  return votes[static_cast<size_t>(label)] - most;
}

}  // namespace

Certification certify_linf(const LinfBounds& bounds, const Classifier& classifier, const Dataset& dataset, double eps,
                           Observer& observer) {
  Certification found{"linf", eps, kAboutBounds, nlohmann::json::object()};
  int64_t by_intervals = 0;
  Followed progress(observer, {dataset.size(), 0, "images", "Certifying"});
  for (int64_t i = 0; i < dataset.size(); ++i) {
    throw_if_interrupted();
    const auto x = to_float(dataset.images.narrow(0, i, 1));
    const auto logits = classifier.logits(x);
    const auto label = dataset.labels[i].item<int64_t>(), answer = answers_of(logits).item<int64_t>();
    CertifiedImage image{dataset.ids[static_cast<size_t>(i)], classifier.classes().name(label),
                         classifier.classes().name(answer)};
    if (answer == label) {
      const LeastMargins margins = bounds.margins(x, eps, label);
      const auto least = [&](const torch::Tensor& of_classes) {
        return of_classes.index_fill(0, torch::tensor({label}), std::numeric_limits<double>::infinity())
            .min()
            .item<double>();
      };
      image.slack = least(margins.linear);
      image.certified = image.slack > 0;
      by_intervals += least(margins.interval) > 0;
    } else {
      image.slack = logits[0][label].item<double>() - logits[0][answer].item<double>();
    }
    found.per_image.push_back(std::move(image));
    progress.advance(1);
  }
  count_answers(found);
  found.by_intervals = proportion(by_intervals, dataset.size());
  return found;
}

Certification certify_l2(const Classifier& classifier, const Dataset& dataset, double eps,
                         const SmoothingOptions& options, Observer& observer) {
  Certification found{
      "l2",
      eps,
      kAboutNoise,
      {{"sigma", options.sigmas.at(0)}, {"n0", options.n0}, {"n", options.n}, {"alpha", options.alpha}}};
  const auto certificates = certify(classifier, dataset.images, options, observer).at(0);
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const Certificate& certificate = certificates[static_cast<size_t>(i)];
    const auto label = dataset.labels[i].item<int64_t>();
    const auto& classes = classifier.classes();
    CertifiedImage image{dataset.ids[static_cast<size_t>(i)], classes.name(label),
                         certificate.abstained() ? "" : classes.name(certificate.answer)};
    image.slack = certificate.radius - eps;
    image.certified = certificate.answer == label && image.slack > 0;
    found.per_image.push_back(std::move(image));
  }
  count_answers(found);
  return found;
}

std::vector<int64_t> band_votes(const Classifier& classifier, const torch::Tensor& x, int64_t band) {
  const int64_t columns = x.size(3);
  const auto place = torch::arange(columns);
  const auto shown = (place.unsqueeze(0) - place.unsqueeze(1)).remainder(columns) < band;
  const auto views = at::where(shown.view({columns, 1, 1, columns}), x, torch::full_like(x, kHidden));
  const auto answers = answers_of(classifier.logits(views));
  std::vector<int64_t> votes(static_cast<size_t>(classifier.classes().size()), 0);
  for (int64_t i = 0; i < columns; ++i) ++votes[static_cast<size_t>(answers.data_ptr<int64_t>()[i])];
  return votes;
}

Certification certify_patch(const Classifier& classifier, const Dataset& dataset, const PatchThreat& threat,
                            Observer& observer) {
  const int64_t side = std::min(dataset.images.size(2), dataset.images.size(3));
  if (threat.side > side) throw UserError(fmt::format("--patch {}: must be at most the side, {}", threat.side, side));
  if (threat.band > dataset.images.size(3)) {
    throw UserError(fmt::format("--band {}: must be at most {} columns", threat.band, dataset.images.size(3)));
  }
  Certification found{
      "patch", std::numeric_limits<double>::quiet_NaN(), kAboutBands, {{"patch", threat.side}, {"band", threat.band}}};
  Followed progress(observer, {dataset.size(), 0, "images", "Certifying"});
  for (int64_t i = 0; i < dataset.size(); ++i) {
    throw_if_interrupted();
    const auto votes = band_votes(classifier, to_float(dataset.images.narrow(0, i, 1)), threat.band);
    const auto label = dataset.labels[i].item<int64_t>();
    const auto answer = std::max_element(votes.begin(), votes.end()) - votes.begin();
    CertifiedImage image{dataset.ids[static_cast<size_t>(i)], classifier.classes().name(label),
                         classifier.classes().name(answer)};
    image.slack = static_cast<double>(lead_of(label, votes) - 2 * (threat.side + threat.band - 1));
    image.certified = image.slack >= 0;
    found.per_image.push_back(std::move(image));
    progress.advance(1);
  }
  count_answers(found);
  return found;
}

}  // namespace fercli
