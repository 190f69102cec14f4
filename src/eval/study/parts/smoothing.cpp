// Certified accuracy of the smoothed network, one sigma after the other, so that an interrupted run keeps the finished
// ones.
#include "eval/smoothing.hpp"

#include "core/numbers.hpp"
#include "eval/study/part.hpp"

namespace fercli::smoothing_study {

namespace {

using nlohmann::json;

constexpr int64_t kLeastDraws = 20;  ///< to choose the class by

SmoothingOptions smoothing_options(const StudyPlan& plan) {
  SmoothingOptions options;
  options.n = plan.budget("smoothing", "draws");
  options.n0 = std::clamp<int64_t>(options.n / 4, kLeastDraws, options.n0);
  options.seed = plan.seed;
  return options;
}

json options(const StudyPlan& plan) {
  const SmoothingOptions smoothing = smoothing_options(plan);
  return {{"sigma", smoothing.sigmas}, {"n0", smoothing.n0}, {"n", smoothing.n}, {"alpha", smoothing.alpha}};
}

double passes(const StudyPlan& plan, int64_t images, const Pilot&) {
  const SmoothingOptions smoothing = smoothing_options(plan);
  return static_cast<double>(images * (smoothing.n0 + smoothing.n)) * static_cast<double>(smoothing.sigmas.size());
}

/// What one sigma gives, from the cache where it is there.
SmoothedImages of_sigma(const StudySubject& subject, double sigma) {
  json key = subject.key;
  key["options"]["sigma"] = sigma;
  if (const auto stored = subject.cache.find("smoothing-sigma", key)) return Shape<SmoothedImages>::read(*stored);
  SmoothingOptions options = smoothing_options(subject.plan);
  options.sigmas = {sigma};
  auto found = study_smoothing(subject.model.search, subject.images, options, subject.observer);
  subject.cache.store("smoothing-sigma", key, Shape<SmoothedImages>::write(found));
  return found;
}

/// Right answers with their radius.
std::vector<double> certified_radii(const std::vector<SmoothedImage>& images) {
  std::vector<double> radii;
  radii.reserve(images.size());
  for (const auto& image : images) radii.push_back(image.answer.at(0) == image.label ? image.radius.at(0) : kNaN);
  return radii;
}

StudyFindings measure(const StudySubject& subject) {
  SmoothedImages all;
  std::vector<CertifiedRows> certified;
  for (const double sigma : smoothing_options(subject.plan).sigmas) {
    SmoothedImages found = of_sigma(subject, sigma);
    certified.push_back({sigma, rows_of(subject), certified_radii(found.per_image)});
    all.cost += found.cost;
    if (all.study.curves.empty()) {
      all.study = std::move(found.study);
      continue;
    }
    all.study.sigma.push_back(sigma);
    all.study.curves.push_back(found.study.curves.at(0));
  }
  auto findings = StudyFindings::of(all.study, all.cost);
  findings.outcomes.certified = std::move(certified);
  return findings;
}

const Register<StudyPart> registered{
    {"smoothing",
     90,
     "certified accuracy of the smoothed network",
     {options, passes, measure, Shape<SmoothingStudy>::schema},
     {images_parameter("50"),
      Parameter::whole("draws", "200", between(1, 1e6), "noisy copies of each image that certify it")},
     {{"images", "200"}, {"draws", "1000"}}}};

}  // namespace

}  // namespace fercli::smoothing_study
