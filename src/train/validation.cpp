#include "train/validation.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <map>

#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "train/collapse_watch.hpp"

namespace fercli {

namespace {

constexpr int64_t kImagesOfBlock = 512;

torch::Tensor counts_in(const nlohmann::json& list) {
  return torch::tensor(list.get<std::vector<int64_t>>(), torch::kInt64);
}

}  // namespace

Validation::Validation(const Dataset& images, const TrainOptions& options)
    : images_(images), ranks_(options.ranks), observer_(*options.observer), stops_(options.in_micro_shards()) {
  if (!options.is_adversarial()) return;
  const AdversarialOptions& adversarial = options.adversarial;
  robust_.emplace(images, adversarial.eps, adversarial.robust_images, adversarial.robust_steps);
}

void Validation::measure(const Classifier& judge, const std::function<Classifier()>& live, EpochRecord& record) const {
  const auto answers = measure_clean(judge, record);
  if (!record.robust) return;
  RobustRecord& robust = *record.robust;
  robust.counts = measure_robust(judge, robust_->size());
  robust.accuracy = robust.counts.accuracy(robust_->class_sizes());
  robust.balanced_accuracy = robust.counts.balanced_accuracy();
  robust.live_balanced_accuracy = measure_robust(live(), watched_images()).balanced_accuracy();
  robust.top_class = answers.argmax().item<int64_t>();
  robust.top_share = answers.max().item<double>() / static_cast<double>(images_.size());
}

int64_t Validation::watched_images() const {
  return std::min(kWatchedImages, robust_->size());
}

/// One line for each block of images that this rank sees to: its first image, the loss, then hits, images and answers
/// of each class.
std::string Validation::measure_own_blocks(const Classifier& classifier) const {
  const int64_t classes = images_.classes.size();
  Followed progress(observer_, {images_.size(), 0, "images", "Validating"});
  auto lines = nlohmann::json::array();
  for (int64_t begin = 0; begin < images_.size(); begin += kImagesOfBlock) {
    const int64_t end = std::min(begin + kImagesOfBlock, images_.size());
    progress.advance(end - begin);
    if (begin / kImagesOfBlock % ranks_->count() != ranks_->number()) continue;
    if (stops_) throw_if_interrupted();
    const auto y = images_.labels.slice(0, begin, end);
    const auto logits = classifier.logits(to_float(images_.images.slice(0, begin, end)));
    const double loss = -at::log_softmax(logits, 1).gather(1, y.unsqueeze(1)).sum().item<double>();
    const auto answers = logits.argmax(1);
    // Not every loss is a number that JSON can say.
    lines.push_back({begin, fmt::format("{:a}", loss), count_classes(y.masked_select(answers == y), classes),
                     count_classes(y, classes), count_classes(answers, classes)});
  }
  return lines.dump();
}

/// Fills the clean part of the record; returns how often each class was answered, int64 (K).
torch::Tensor Validation::measure_clean(const Classifier& classifier, EpochRecord& record) const {
  std::map<int64_t, nlohmann::json> blocks;
  for (const auto& part : ranks_->together([&] { return measure_own_blocks(classifier); })) {
    for (auto& line : nlohmann::json::parse(part)) blocks.emplace(line[0].get<int64_t>(), line);
  }
  const int64_t classes = images_.classes.size();
  auto hits = torch::zeros({classes}), counts = torch::zeros({classes});
  auto answers = torch::zeros({classes}, torch::kInt64);
  double loss_total = 0;
  for (const auto& [begin, line] : blocks) {
    loss_total += std::strtod(line[1].get<std::string>().c_str(), nullptr);
    hits += counts_in(line[2]).to(torch::kFloat32);
    counts += counts_in(line[3]).to(torch::kFloat32);
    answers += counts_in(line[4]);
  }
  const auto images = static_cast<double>(images_.size());
  record.validation_loss = loss_total / images;
  record.validation_accuracy = hits.sum().item<double>() / images;
  record.validation_balanced_accuracy = (hits / counts).masked_select(counts > 0).mean().item<double>();
  return answers;
}

/// By all ranks together.
RobustCounts Validation::measure_robust(const Classifier& classifier, int64_t images) const {
  const auto parts = ranks_->together([&] {
    const auto counts = robust_->measure(classifier, images, ranks_->number(), ranks_->count(), observer_);
    return compact_json({counts.hits, counts.images});
  });
  const std::vector<int64_t> none(static_cast<size_t>(images_.classes.size()), 0);
  RobustCounts sum{none, none};
  for (const auto& part : parts) {
    const auto counts = nlohmann::json::parse(part);
    for (size_t k = 0; k < none.size(); ++k) {
      sum.hits[k] += counts[0][k].get<int64_t>();
      sum.images[k] += counts[1][k].get<int64_t>();
    }
  }
  return sum;
}

}  // namespace fercli
