// Accuracy under common corruptions.
#include "eval/corruption_study.hpp"
#include "eval/measures/subset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/part.hpp"

namespace fercli::corruptions_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 15 * 5 + 1;

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("corruptions", "images"));
}

json options(const StudyPlan&) {
  return json::object();
}

double passes(const StudyPlan&, int64_t images, const Pilot&) {
  return static_cast<double>(images) * kPasses;
}

StudyFindings measure(const StudySubject& subject) {
  CorruptionOptions options;
  options.seed = subject.plan.seed;
  options.batch_size = subject.plan.batch_size;
  json figures = study_corruptions(subject.model.search, subject.images, options, subject.observer);
  const json cost = figures.at("cost");
  figures.erase("cost");
  return {std::move(figures), {}, {}, cost};
}

json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  const json kind = object({{"name", text()},
                            {"family", text()},
                            {"accuracy", described(list(metric), "of each severity")},
                            {"mean", described(metric, "over images, of their severities")}});
  return open_object({{"kinds", list(kind)},
                      {"clean", described(metric, "accuracy")},
                      {"mean", described(metric, "over images, of all kinds and severities")},
                      {"severity_mean", list(number())},
                      {"relative_mean_corruption_accuracy", described(number(), "mean / clean")},
                      {"n", whole()},
                      {"seed", whole()},
                      {"precision", text()}});
}

const Register<StudyPart> registered{{"corruptions",
                                      80,
                                      "accuracy under fifteen common corruptions",
                                      false,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      schema,
                                      {images_parameter("150")},
                                      {{"images", "0"}}}};

}  // namespace

}  // namespace fercli::corruptions_study
