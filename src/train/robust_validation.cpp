#include "train/robust_validation.hpp"

#include <ATen/ATen.h>

#include "core/tensor_list.hpp"
#include "eval/campaign/campaign.hpp"

namespace fercli {

namespace {

/// Row numbers class by class in turn, within a class in an order that their keys decide, until there are `count`.
std::vector<int64_t> class_balanced_rows(const Dataset& data, int64_t count) {
  const auto keys = image_keys(data.images);
  const Rng order = Rng(0).split("robust validation");
  const auto* labels = data.labels.data_ptr<int64_t>();
  std::vector<std::vector<std::pair<uint64_t, int64_t>>> by_class(data.classes.size());
  for (int64_t row = 0; row < data.size(); ++row) {
    by_class[labels[row]].emplace_back(order.split(static_cast<uint64_t>(keys[row])).key(), row);
  }
  for (auto& rows : by_class) std::sort(rows.begin(), rows.end());
  std::vector<int64_t> chosen;
  count = std::min(count, data.size());
  for (size_t place = 0; static_cast<int64_t>(chosen.size()) < count; ++place) {
    for (const auto& rows : by_class) {
      if (place < rows.size() && static_cast<int64_t>(chosen.size()) < count) chosen.push_back(rows[place].second);
    }
  }
  return chosen;
}

}  // namespace

std::vector<int64_t> count_classes(const torch::Tensor& labels, int64_t classes) {
  return list_of(at::bincount(labels, {}, classes));
}

double RobustCounts::balanced_accuracy() const {
  return accuracy(std::vector<int64_t>(images.size(), 1));
}

double RobustCounts::accuracy(const std::vector<int64_t>& class_sizes) const {
  double sum = 0, weight = 0;
  for (size_t k = 0; k < images.size(); ++k) {
    if (images[k] == 0) continue;
    const auto size = static_cast<double>(class_sizes[k]);
    sum += size * static_cast<double>(hits[k]) / static_cast<double>(images[k]);
    weight += size;
  }
  return sum / weight;
}

RobustValidation::RobustValidation(const Dataset& validation, double eps, int64_t images, int64_t steps)
    : part_(validation.select(class_balanced_rows(validation, images))),
      class_sizes_(count_classes(validation.labels, validation.classes.size())),
      eps_(eps),
      steps_(steps) {}

RobustCounts RobustValidation::measure(const Classifier& classifier, int64_t images, int64_t rank, int64_t ranks,
                                       Observer& observer) const {
  const int64_t count = std::min(images, part_.size()), classes = part_.classes.size();
  std::vector<int64_t> rows;
  for (int64_t row = rank; row < count; row += ranks) rows.push_back(row);
  if (rows.empty()) {
    const std::vector<int64_t> none(static_cast<size_t>(classes), 0);
    return {none, none};
  }
  const Dataset shown = part_.select(rows);
  Trial trial;
  trial.attacks = {"pgd"};
  trial.ladder = {{"", eps_}};
  trial.goal.name = "untargeted";
  trial.settings.set("steps", steps_);
  // The attack looks at the originals first, and finds those that are misclassified in the goal already.
  trial.misclassified_too = true;
  const auto broken =
      run_campaign({classifier, shown, {}, shown.labels}, trial, {}, observer).attacks.front().success();
  const auto kept = shown.labels.masked_select(broken.logical_not());
  return {count_classes(kept, classes), count_classes(shown.labels, classes)};
}

}  // namespace fercli
