#include "eval/transfer_matrix.hpp"

#include <nlohmann/json.hpp>

#include "attacks/engine/transfer.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"
#include "core/text.hpp"
#include "eval/attack_evaluation.hpp"
#include "eval/evaluate.hpp"
#include "eval/result.hpp"

namespace fercli {

namespace {

using nlohmann::json;

void check(const std::vector<NamedClassifier>& models) {
  for (const auto& model : models) {
    const auto &first = models.front().classifier->classes().names(), &names = model.classifier->classes().names();
    if (names == first) continue;
    throw UserError(fmt::format("transfer matrix: {} has the classes {}, {} has {}", model.name, join(names, ", "),
                                models.front().name, join(first, ", ")));
  }
}

/// The images that every model classifies rightly.
Dataset right_for_all(const std::vector<NamedClassifier>& models, const Dataset& dataset, int64_t batch_size) {
  auto right = torch::ones({dataset.size()}, torch::kBool);
  for (const auto& model : models) {
    const auto predictions = predict(model.classifier->with_precision(Precision::Float32), dataset, batch_size);
    right = right.logical_and(predicted_classes(predictions.probabilities).eq(dataset.labels));
  }
  const auto places = right.nonzero().squeeze(1).contiguous();
  return dataset.select({places.data_ptr<int64_t>(), places.data_ptr<int64_t>() + places.numel()});
}

/// How many of the images made on one model each judge is fooled by.
std::vector<int64_t> fooled(const NamedClassifier& maker, const std::vector<Classifier>& judges, const Attack& attack,
                            const Dataset& images, const TransferMatrixOptions& options, Progress* progress) {
  const Rng rng = Rng(options.seed).split("transfer").split(options.attack);
  std::vector<int64_t> counts(judges.size(), 0);
  for (int64_t begin = 0; begin < images.size(); begin += kAttackGroup) {
    throw_if_interrupted();
    const int64_t count = std::min(kAttackGroup, images.size() - begin);
    const auto pixels = images.images.narrow(0, begin, count);
    const auto goal = Goal::untargeted(images.labels.narrow(0, begin, count));
    const AttackInput input{to_float(pixels), goal, image_keys(pixels)};
    const auto found = attack.run(*maker.classifier, {options.norm, options.eps.eps}, input, rng);
    for (size_t judge = 0; judge < judges.size(); ++judge) {
      counts[judge] += goal.reached(judges[judge].logits(found.x_adv)).sum().item<int64_t>();
    }
    progress->advance(count);
  }
  return counts;
}

}  // namespace

json study_transfer(const std::vector<NamedClassifier>& models, const Dataset& dataset,
                    const TransferMatrixOptions& options) {
  check(models);
  const auto attack =
      make_attack(options.attack, transfer_settings(options.settings), options.norm, /*targeted=*/false);
  const Dataset images = right_for_all(models, dataset, options.settings.batch_size);
  json result = {
      {"eps", options.eps.text},
      {"eps_value", options.eps.eps},
      {"norm", to_string(options.norm)},
      {"attack", attack->describe_on(models.front().classifier->precision(), {options.norm, options.eps.eps})},
      {"models", json::array()},
      {"n", images.size()},
      {"success", json::array()},
      {"seed", options.seed},
      {"cost", json::object()}};
  std::vector<Classifier> judges;
  for (const auto& model : models) judges.push_back(model.classifier->with_precision(Precision::Float32));
  Progress progress("Transferring", images.size() * static_cast<int64_t>(models.size()), "images");
  for (const auto& maker : models) {
    const auto start = Clock::now();
    std::vector<int64_t> passes;
    for (const auto& model : models) passes.push_back(model.classifier->forwards());
    const int64_t backwards = maker.classifier->backwards();
    auto row = json::array();
    for (const int64_t count : fooled(maker, judges, *attack, images, options, &progress)) {
      row.push_back(to_json(proportion(count, images.size())));
    }
    int64_t forward = 0;
    for (size_t i = 0; i < models.size(); ++i) forward += models[i].classifier->forwards() - passes[i];
    result["models"].push_back(maker.name);
    result["success"].push_back(row);
    result["cost"][maker.name] = {{"forward", forward},
                                  {"backward", maker.classifier->backwards() - backwards},
                                  {"seconds", seconds_since(start)}};
  }
  return result;
}

}  // namespace fercli
