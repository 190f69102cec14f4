// Certified accuracy of the smoothed network, one sigma after the other, so that an interrupted run keeps the finished
// ones.
#include "eval/smoothing.hpp"

#include "eval/measures/subset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::smoothing_study {

namespace {

using nlohmann::json;

constexpr int64_t kLeastDraws = 20;  ///< to choose the class by

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("smoothing", "images"));
}

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

/// The figures of one sigma, from the cache where they are there.
json of_sigma(const StudySubject& subject, double sigma) {
  json key = subject.key;
  key["options"]["sigma"] = sigma;
  if (const auto stored = subject.cache.find("smoothing-sigma", key)) return *stored;
  SmoothingOptions options = smoothing_options(subject.plan);
  options.sigmas = {sigma};
  json figures = study_smoothing(subject.model.search, subject.images, options, subject.observer);
  subject.cache.store("smoothing-sigma", key, figures);
  return figures;
}

/// Right answers with their radius; the others have null.
json certified_radii(const json& per_image, double sigma) {
  auto radii = json::array();
  for (const auto& image : per_image) {
    const bool right = image.at("answer").at(0) == image.at("label");
    radii.push_back(right ? image.at("radius").at(0) : json());
  }
  return {{"sigma", sigma}, {"radius", radii}};
}

StudyFindings measure(const StudySubject& subject) {
  json figures, certified = json::array(), cost = {{"forward", 0}, {"backward", 0}, {"seconds", 0.0}};
  for (const double sigma : smoothing_options(subject.plan).sigmas) {
    json found = of_sigma(subject, sigma);
    certified.push_back(certified_radii(found.at("per_image"), sigma));
    cost["forward"] = cost["forward"].get<int64_t>() + found.at("cost").at("forward").get<int64_t>();
    cost["seconds"] = cost["seconds"].get<double>() + found.at("cost").at("seconds").get<double>();
    for (const char* key : {"per_image", "cost"}) found.erase(key);
    if (figures.is_null()) {
      figures = std::move(found);
      continue;
    }
    figures["sigma"].push_back(sigma);
    figures["curves"].push_back(found.at("curves").at(0));
  }
  return {std::move(figures), {{"ids", ids_of(subject.images)}, {"certified", certified}}, {}, std::move(cost)};
}

json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  const json curve = object({{"sigma", number()},
                             {"radius", described(list(number()), "in L2")},
                             {"certified_accuracy", described(list(metric), "at each radius")},
                             {"abstained", described(whole(), "images")},
                             {"accuracy", metric},
                             {"average_certified_radius", metric},
                             {"largest_radius", described(number(), "that these draws can certify")}});
  return open_object({{"sigma", list(number())},
                      {"n0", described(whole(), "draws that choose the class")},
                      {"n", described(whole(), "draws that certify it")},
                      {"alpha", share()},
                      {"images", whole()},
                      {"seed", whole()},
                      {"precision", text()},
                      {"note", text()},
                      {"curves", list(curve)}});
}

const Register<StudyPart> registered{
    {"smoothing",
     90,
     "certified accuracy of the smoothed network",
     false,
     images,
     options,
     passes,
     measure,
     schema,
     {images_parameter("50"),
      Parameter::whole("draws", "200", between(1, 1e6), "noisy copies of each image that certify it")},
     {{"images", "200"}, {"draws", "1000"}}}};

}  // namespace

}  // namespace fercli::smoothing_study
