// Accuracy under common corruptions.
#include "eval/corruption_study.hpp"
#include "eval/study/part.hpp"

namespace fercli::corruptions_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 15 * 5 + 1;

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
  const auto study = study_corruptions(subject.model.search, subject.images, options, subject.observer);
  return StudyFindings::of(study, study.cost);
}

const Register<StudyPart> registered{{"corruptions",
                                      80,
                                      "accuracy under fifteen common corruptions",
                                      {options, passes, measure, Shape<CorruptionStudy>::schema},
                                      {images_parameter("150")},
                                      {{"images", "0"}}}};

}  // namespace

}  // namespace fercli::corruptions_study
