#include "eval/evaluate.hpp"

#include <chrono>

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/progress.hpp"

namespace fercli {

Predictions predict(const Classifier& classifier, const Dataset& dataset, int64_t batch_size) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t n = dataset.size();
  auto probabilities = torch::empty({n, classifier.classes().size()}, torch::kFloat64);
  Progress progress("Evaluating", n, "images");
  for (int64_t first = 0; first < n; first += batch_size) {
    throw_if_interrupted();
    const int64_t count = std::min(batch_size, n - first);
    const auto logits = classifier.logits(to_float(dataset.images.narrow(0, first, count)));
    probabilities.narrow(0, first, count).copy_(torch::softmax(logits.to(torch::kFloat64), 1));
    progress.advance(count);
  }
  if (!torch::isfinite(probabilities).all().item<bool>()) {
    throw RunError("the network gives NaN or infinite values: its weights are damaged, or the training diverged");
  }
  return {probabilities, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace fercli
