// Do images made on one model fool the others?
#include "eval/measures/subset.hpp"
#include "eval/result_shapes.hpp"
#include "eval/study/part.hpp"
#include "eval/transfer_matrix.hpp"

namespace fercli::transfer_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 45;  ///< to the end of 20 steps, and the verdicts

Dataset images(const StudyPlan& plan, const StudyModel& model) {
  return subset(model.images, plan.budget("transfer", "images"));
}

json options(const StudyPlan& plan) {
  return {{"eps", plan.at.text}};
}

double passes(const StudyPlan&, int64_t images, const Pilot& pilot) {
  return static_cast<double>(images) * pilot.right * kPasses;
}

StudyFindings measure(const StudySubject& subject) {
  TransferMatrixOptions options;
  options.eps = subject.plan.at;
  options.settings.batch_size = subject.plan.batch_size;
  options.seed = subject.plan.seed;
  std::vector<NamedClassifier> models;
  for (const auto& model : subject.models) models.push_back({model.name, &model.search, model.digest});
  json figures = study_transfer(models, subject.images, options, subject.campaign, subject.observer);
  const json cost = figures.at("cost");
  figures.erase("cost");
  return {std::move(figures), {}, {}, cost};
}

json schema() {
  using namespace shape;
  return open_object(
      joined(attacked_at(),
             {{"norm", text()},
              {"models", list(text())},
              {"n", described(whole(), "images that all models classify rightly")},
              {"success", described(list(list(Shape<Metric>::schema())), "rows: made on, columns: judged by")},
              {"seed", whole()}}),
      {{"eps_levels", levels_schema()}});
}

const Register<StudyPart> registered{{"transfer",
                                      50,
                                      "do images made on one model fool the others",
                                      true,
                                      images,
                                      options,
                                      passes,
                                      measure,
                                      schema,
                                      {images_parameter("120")},
                                      {{"images", "1000"}},
                                      true}};

}  // namespace

}  // namespace fercli::transfer_study
