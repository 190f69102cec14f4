#include "eval/smoothing.hpp"

#include "attacks/engine/attack.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "eval/measures/distributions.hpp"

namespace fercli {

namespace {

constexpr double kStepsPerSigma = 10;  ///< of the curve

constexpr const char* kNote =
    "L2, pixels in [0,1]; about the smoothed classifier: the most frequent answer under Gaussian noise of this sigma";

void check(const SmoothingOptions& options) {
  if (options.sigmas.empty()) throw UserError("smoothing: needs at least one sigma");
  for (const double sigma : options.sigmas) {
    if (!(sigma > 0) || !(sigma <= 10)) throw UserError(fmt::format("smoothing: sigma {}: must be in (0, 10]", sigma));
  }
  if (options.n0 < 1) throw UserError(fmt::format("smoothing: n0 {}: must be at least 1", options.n0));
  if (options.n < 1) throw UserError(fmt::format("smoothing: n {}: must be at least 1", options.n));
  if (!(options.alpha > 0) || !(options.alpha < 1)) {
    throw UserError(fmt::format("smoothing: alpha {}: must lie between 0 and 1", options.alpha));
  }
}

using Votes = std::vector<std::vector<int64_t>>;  ///< of each sigma and class

/// The base classifier's answers to the noisy copies number `first` to `first + count - 1` of x (1,C,H,W).
Votes votes(const Classifier& classifier, const torch::Tensor& x, const Rng& noise_of_image, int64_t first,
            int64_t count, const SmoothingOptions& options) {
  Votes votes(options.sigmas.size(), std::vector<int64_t>(static_cast<size_t>(classifier.classes().size()), 0));
  for (int64_t begin = first; begin < first + count; begin += options.batch_size) {
    throw_if_interrupted();
    std::vector<int64_t> draws;
    for (int64_t i = begin; i < std::min(begin + options.batch_size, first + count); ++i) draws.push_back(i);
    const auto noise = normal_rows(noise_of_image, draws, x.sizes().slice(1));
    for (size_t s = 0; s < options.sigmas.size(); ++s) {
      const auto answers = answers_of(classifier.logits(x + noise * options.sigmas[s]));
      for (int64_t i = 0; i < answers.numel(); ++i) ++votes[s][static_cast<size_t>(answers.data_ptr<int64_t>()[i])];
    }
  }
  return votes;
}

Certificate certificate(const std::vector<int64_t>& selection, const std::vector<int64_t>& estimation, double sigma,
                        const SmoothingOptions& options) {
  const auto answer = std::max_element(selection.begin(), selection.end()) - selection.begin();
  const int64_t count = estimation[static_cast<size_t>(answer)];
  const double share = clopper_pearson_lower(count, options.n, options.alpha);
  if (share <= 0.5) return {Certificate::kAbstained, 0, count};
  return {answer, sigma * normal_quantile(share), count};
}

double largest_radius(double sigma, const SmoothingOptions& options) {
  return std::max(0.0, sigma * normal_quantile(clopper_pearson_lower(options.n, options.n, options.alpha)));
}

CertifiedCurve curve_of(const std::vector<Certificate>& certificates, const torch::Tensor& labels, double sigma,
                        const SmoothingOptions& options) {
  const auto n = static_cast<int64_t>(certificates.size());
  CertifiedCurve curve;
  curve.sigma = sigma;
  std::vector<double> radius_if_right;
  for (int64_t i = 0; i < n; ++i) {
    const Certificate& certificate = certificates[static_cast<size_t>(i)];
    curve.abstained += certificate.abstained();
    radius_if_right.push_back(certificate.answer == labels[i].item<int64_t>() ? certificate.radius : 0);
  }
  const auto certified = [&](double radius) {
    return proportion(std::count_if(radius_if_right.begin(), radius_if_right.end(),
                                    [radius](double certain) { return certain > radius; }),
                      n);
  };
  curve.accuracy = certified(0);
  curve.average_certified_radius = positive_mean(radius_if_right);
  curve.largest_radius = largest_radius(sigma, options);
  for (int64_t step = 0;; ++step) {
    curve.radius.push_back(sigma * static_cast<double>(step) / kStepsPerSigma);
    curve.certified_accuracy.push_back(certified(curve.radius.back()));
    if (curve.radius.back() > curve.largest_radius) return curve;
  }
}

std::vector<SmoothedImage> smoothed_images(const std::vector<std::vector<Certificate>>& certificates,
                                           const Dataset& dataset, const LabelSet& classes) {
  std::vector<SmoothedImage> images;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    SmoothedImage image{dataset.ids[static_cast<size_t>(i)], classes.name(dataset.labels[i].item<int64_t>()), {}, {}};
    for (const auto& of_sigma : certificates) {
      const Certificate& certificate = of_sigma[static_cast<size_t>(i)];
      image.answer.emplace_back();
      if (!certificate.abstained()) image.answer.back() = classes.name(certificate.answer);
      image.radius.push_back(certificate.radius);
    }
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace

torch::Tensor answers_of(const torch::Tensor& logits) {
  if (logits.isnan().any().item<bool>()) {
    throw RunError("the network gives NaN: its weights are damaged, or the training diverged");
  }
  return predicted_classes(logits);
}

std::vector<std::vector<Certificate>> certify(const Classifier& classifier, const torch::Tensor& images,
                                              const SmoothingOptions& options, Observer& observer) {
  check(options);
  const torch::NoGradGuard no_grad;
  const Rng rng = Rng(options.seed).split("smoothing");
  const auto keys = image_keys(images);
  std::vector<std::vector<Certificate>> certificates(options.sigmas.size());
  Followed progress(observer, {images.size(0)});
  for (int64_t i = 0; i < images.size(0); ++i) {
    const auto x = to_float(images.narrow(0, i, 1));
    const Rng noise = rng.split(static_cast<uint64_t>(keys[static_cast<size_t>(i)]));
    const auto selection = votes(classifier, x, noise, 0, options.n0, options);
    const auto estimation = votes(classifier, x, noise, options.n0, options.n, options);
    for (size_t s = 0; s < options.sigmas.size(); ++s) {
      certificates[s].push_back(certificate(selection[s], estimation[s], options.sigmas[s], options));
    }
    progress.advance(1);
  }
  return certificates;
}

SmoothedImages study_smoothing(const Classifier& classifier, const Dataset& dataset, const SmoothingOptions& options,
                               Observer& observer) {
  const auto start = Clock::now();
  const int64_t forwards = classifier.forwards();
  const auto certificates = certify(classifier, dataset.images, options, observer);
  SmoothedImages found{{options.sigmas,
                        options.n0,
                        options.n,
                        options.alpha,
                        dataset.size(),
                        options.seed,
                        to_string(classifier.precision()),
                        kNote,
                        {}},
                       smoothed_images(certificates, dataset, classifier.classes()),
                       {}};
  for (size_t s = 0; s < options.sigmas.size(); ++s) {
    found.study.curves.push_back(curve_of(certificates[s], dataset.labels, options.sigmas[s], options));
  }
  found.cost = {classifier.forwards() - forwards, 0, seconds_since(start)};
  return found;
}

}  // namespace fercli
