// Accuracy, calibration and confusion on the images as they are.
#include "core/tensor_list.hpp"
#include "eval/evaluate.hpp"
#include "eval/study/part.hpp"

namespace fercli::clean_study {

namespace {

using nlohmann::json;

json options(const StudyPlan& plan) {
  return {{"unseen", plan.unseen ? json(*plan.unseen) : json()}};
}

/// In float32, which takes a multiple of what bfloat16 does.
double passes(const StudyPlan&, int64_t images, const Pilot&) {
  constexpr double kOfFloat32 = 4;
  return static_cast<double>(images) * kOfFloat32;
}

/// Accuracy over the images that the network cannot have learnt by heart.
Metric accuracy_on(const std::vector<int64_t>& rows, const torch::Tensor& right) {
  int64_t count = 0;
  for (const int64_t row : rows) count += right[row].item<bool>();
  return proportion(count, static_cast<int64_t>(rows.size()));
}

StudyFindings measure(const StudySubject& subject) {
  const auto predictions = predict(subject.model.judge, subject.images, subject.plan.batch_size, subject.observer);
  CleanFigures figures = clean_figures(predictions, subject.images, subject.plan.seed);
  const auto answers = predicted_classes(predictions.probabilities);
  if (subject.plan.unseen && !subject.plan.unseen->empty()) {
    figures.metrics["accuracy_deduplicated"] = accuracy_on(*subject.plan.unseen, answers.eq(subject.images.labels));
  }
  StudyFindings findings{Shape<CleanFigures>::write(figures)};
  findings.outcomes.answers = list_of(answers);
  return findings;
}

const Register<StudyPart> registered{
    {"clean", 10, "accuracy, calibration, confusion", {options, passes, measure, Shape<CleanFigures>::schema}}};

}  // namespace

}  // namespace fercli::clean_study
