#include "eval/corruption_study.hpp"

#include "attacks/engine/attack.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/numbers.hpp"
#include "core/tensor_list.hpp"
#include "data/corruptions/corruption.hpp"

namespace fercli {

namespace {

std::vector<Corruption> chosen(const std::vector<std::string>& names) {
  for (const auto& name : names) Registry<Corruption>::instance().get(name);
  auto corruptions = common_corruptions();
  if (names.empty()) return corruptions;
  const auto unwanted = [&](const Corruption& corruption) {
    return std::find(names.begin(), names.end(), corruption.name) == names.end();
  };
  corruptions.erase(std::remove_if(corruptions.begin(), corruptions.end(), unwanted), corruptions.end());
  return corruptions;
}

/// (N) bool.
torch::Tensor right_answers(const Classifier& classifier, const torch::Tensor& images, const torch::Tensor& labels) {
  const auto logits = classifier.logits(to_float(images));
  if (!torch::isfinite(logits).all().item<bool>()) throw RunError("the network gives NaN or infinite values");
  return predicted_classes(logits).eq(labels);
}

/// Which answers were right: (N,1) of the clean images, and (N, kinds, severities).
struct Answers {
  torch::Tensor clean, corrupted;
};

Answers ask(const Classifier& classifier, const Dataset& dataset, const std::vector<Corruption>& corruptions,
            const CorruptionOptions& options, Observer& observer) {
  const int64_t n = dataset.size(), kinds = static_cast<int64_t>(corruptions.size());
  Answers answers{torch::empty({n}, torch::kBool), torch::empty({n, kinds, kSeverities}, torch::kBool)};
  const Rng rng(options.seed);
  Followed progress(observer, {n * kinds * kSeverities});
  for (int64_t first = 0; first < n; first += options.batch_size) {
    const int64_t count = std::min(options.batch_size, n - first);
    const auto images = dataset.images.narrow(0, first, count), labels = dataset.labels.narrow(0, first, count);
    const auto keys = image_keys(images);
    answers.clean.narrow(0, first, count).copy_(right_answers(classifier, images, labels));
    for (int64_t kind = 0; kind < kinds; ++kind) {
      throw_if_interrupted();
      for (int64_t severity = 1; severity <= kSeverities; ++severity) {
        const auto corrupted = corrupt(corruptions[static_cast<size_t>(kind)], images, severity, rng, keys);
        answers.corrupted.select(2, severity - 1)
            .select(1, kind)
            .narrow(0, first, count)
            .copy_(right_answers(classifier, corrupted, labels));
      }
      progress.advance(count * kSeverities);
    }
  }
  return answers;
}

/// Each image's share of right answers is one observation. right: (N,…) bool.
Metric mean_over_images(const torch::Tensor& right) {
  return bounded_mean(list_of<double>(right.flatten(1).to(torch::kFloat64).mean(1)), 1);
}

CorruptionKind corruption_kind(const Corruption& corruption, const torch::Tensor& right) {
  CorruptionKind kind{corruption.name, corruption.family, {}, mean_over_images(right)};
  for (int64_t s = 0; s < kSeverities; ++s) {
    const auto at_severity = right.select(1, s);
    kind.accuracy.push_back(proportion(at_severity.sum().item<int64_t>(), at_severity.numel()));
  }
  return kind;
}

}  // namespace

CorruptionStudy study_corruptions(const Classifier& classifier, const Dataset& dataset,
                                  const CorruptionOptions& options, Observer& observer) {
  const auto start = Clock::now();
  const int64_t forwards = classifier.forwards();
  const auto corruptions = chosen(options.kinds);
  const auto answers = ask(classifier, dataset, corruptions, options, observer);
  CorruptionStudy study;
  for (size_t kind = 0; kind < corruptions.size(); ++kind) {
    study.kinds.push_back(corruption_kind(corruptions[kind], answers.corrupted.select(1, static_cast<int64_t>(kind))));
  }
  study.clean = proportion(answers.clean.sum().item<int64_t>(), dataset.size());
  study.mean = mean_over_images(answers.corrupted);
  for (int64_t s = 0; s < kSeverities; ++s) {
    study.severity_mean.push_back(mean_over_images(answers.corrupted.select(2, s)).value);
  }
  study.relative_mean = study.clean.value > 0 ? study.mean.value / study.clean.value : kNaN;
  study.n = dataset.size();
  study.seed = options.seed;
  study.precision = to_string(classifier.precision());
  study.cost = {classifier.forwards() - forwards, 0, seconds_since(start)};
  return study;
}

}  // namespace fercli
