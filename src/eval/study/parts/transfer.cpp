// Do images made on one model fool the others?
#include "eval/study/part.hpp"
#include "eval/transfer_matrix.hpp"

namespace fercli::transfer_study {

namespace {

using nlohmann::json;

constexpr double kPasses = 45;  ///< to the end of 20 steps, and the verdicts

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
  const auto matrix = study_transfer(models, subject.images, options, subject.campaign, subject.observer);
  json costs;
  for (size_t i = 0; i < models.size(); ++i) costs[models[i].name] = Shape<Cost>::write(matrix.costs[i]);
  return {Shape<TransferMatrix>::write(matrix), std::move(costs)};
}

const Register<StudyPart> registered{{"transfer",
                                      50,
                                      "do images made on one model fool the others",
                                      {options, passes, measure, Shape<TransferMatrix>::schema},
                                      {images_parameter("120")},
                                      {{"images", "1000"}},
                                      /*attacks=*/true,
                                      /*joint=*/true}};

}  // namespace

}  // namespace fercli::transfer_study
