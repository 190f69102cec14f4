// Accuracy, calibration and confusion on the images as they are.
#include "core/tensor_list.hpp"
#include "eval/evaluate.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/parts/ladder.hpp"

namespace fercli::clean_study {

namespace {

using nlohmann::json;

Dataset images(const StudyPlan&, const StudyModel& model) {
  return model.images;
}

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
  const LabelSet& classes = subject.images.classes;
  const auto predictions = predict(subject.model.judge, subject.images, subject.plan.batch_size, subject.observer);
  Result result = summarise(predictions, subject.images, classes, subject.plan.seed);
  const auto answers = predicted_classes(predictions.probabilities);
  if (subject.plan.unseen && !subject.plan.unseen->empty()) {
    result.metrics["accuracy_deduplicated"] = accuracy_on(*subject.plan.unseen, answers.eq(subject.images.labels));
  }
  json figures = {{"per_class", result.per_class},
                  {"confusion_matrix", result.tables.at("confusion_matrix")},
                  {"reliability", result.tables.at("reliability")}};
  for (const auto& [name, metric] : result.metrics) figures["metrics"][name] = to_json(metric);
  for (auto& bin : figures["reliability"]) bin["n"] = bin.at("accuracy").at("n");
  for (int64_t k = 0; k < classes.size(); ++k) {
    figures["share_predicted"].push_back(to_json(proportion(answers.eq(k).sum().item<int64_t>(), answers.size(0))));
  }
  const auto confusion = confusion_matrix({predictions.probabilities, subject.images.labels}, classes.size());
  if (const auto hint = label_order_hint(confusion, classes)) figures["warnings"].push_back(*hint);
  return {std::move(figures), {{"ids", ids_of(subject.images)}, {"answers", list_of(answers)}}};
}

json schema() {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  return open_object({{"metrics", map_of(metric)},
                      {"per_class", list(open_object({{"class", text()},
                                                      {"support", described(whole(), "images of the class")},
                                                      {"precision", metric},
                                                      {"recall", metric},
                                                      {"f1", metric}}))},
                      {"confusion_matrix", described(list(list(whole())), "rows are true classes")},
                      {"reliability", reliability_schema()},
                      {"share_predicted", described(list(metric), "of each class")}},
                     {{"warnings", list(text())}});
}

const Register<StudyPart> registered{
    {"clean", 10, "accuracy, calibration, confusion", false, images, options, passes, measure, schema}};

}  // namespace

}  // namespace fercli::clean_study
