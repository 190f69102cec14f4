#include "eval/transfer_matrix.hpp"

#include "attacks/engine/transfer.hpp"
#include "core/error.hpp"
#include "core/tensor_list.hpp"
#include "core/text.hpp"
#include "eval/campaign/division.hpp"
#include "eval/campaign/verdict.hpp"
#include "eval/evaluate.hpp"

namespace fercli {

namespace {

void check(const std::vector<NamedClassifier>& models) {
  for (const auto& model : models) {
    const auto &first = models.front().classifier->classes().names(), &names = model.classifier->classes().names();
    if (names == first) continue;
    throw UserError(fmt::format("transfer matrix: {} has the classes {}, {} has {}", model.name, join(names, ", "),
                                models.front().name, join(first, ", ")));
  }
}

/// The images that every model classifies rightly.
Dataset right_for_all(const std::vector<NamedClassifier>& models, const Dataset& dataset, int64_t batch_size,
                      Observer& observer) {
  auto right = torch::ones({dataset.size()}, torch::kBool);
  for (const auto& model : models) {
    const auto predictions =
        predict(model.classifier->with_precision(Precision::Float32), dataset, batch_size, observer);
    right = right.logical_and(predicted_classes(predictions.probabilities).eq(dataset.labels));
  }
  return dataset.select(list_where(right));
}

}  // namespace

TransferMatrix study_transfer(const std::vector<NamedClassifier>& models, const Dataset& dataset,
                              const TransferMatrixOptions& options, const CampaignOptions& campaign,
                              Observer& observer) {
  check(models);
  Trial trial;
  trial.attacks = {options.attack};
  trial.ladder = {options.eps};
  trial.norm = options.norm;
  trial.goal.name = "untargeted";
  trial.settings = transfer_settings(options.settings);
  trial.seed = options.seed;
  const Dataset images = right_for_all(models, dataset, options.settings.batch_size, observer);
  TransferMatrix matrix;
  matrix.in = attacked_in(options.norm, options.eps,
                          trial.attack(options.attack)
                              ->describe_on(models.front().classifier->precision(), {options.norm, options.eps.eps}));
  matrix.n = images.size();
  matrix.seed = options.seed;
  std::vector<Ledger> made;
  for (size_t maker = 0; maker < models.size(); ++maker) {
    CampaignOptions of_maker = campaign;
    if (campaign.state) *of_maker.state += fmt::format("-{}", maker);
    made.push_back(run_campaign({*models[maker].classifier, images, models[maker].digest, images.labels}, trial,
                                of_maker, observer));
  }
  stop_after_ledgers(campaign);
  const auto goal = Goal::untargeted(images.labels);
  for (size_t maker = 0; maker < models.size(); ++maker) {
    const AttackRecord& record = made[maker].attacks.front();
    matrix.models.push_back(models[maker].name);
    matrix.success.emplace_back();
    for (const auto& judge : models) {
      const auto fooled = verdict_on_stored(*judge.classifier, record.adversarial, goal, observer).reached;
      matrix.success.back().push_back(proportion(fooled.sum().item<int64_t>(), images.size()));
    }
    matrix.costs.push_back({record.forward.front() + images.size() * static_cast<int64_t>(models.size()),
                            record.backward.front(), record.seconds.front()});
  }
  return matrix;
}

}  // namespace fercli
