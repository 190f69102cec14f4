#pragma once

#include <ATen/ATen.h>

#include "models/classifier.hpp"
#include "models/networks/model.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli::test {

/// What holds for every executor that runs the reference's model. x: four images or more.
inline void expect_same_on_every_executor(const Classifier& reference, const torch::Tensor& x) {
  const auto dlogits = torch::ones({x.size(0), reference.classes().size()}).cumsum(1);
  const auto logits = reference.logits(x), gradient = reference.linearize(x).pullback(dlogits);
  for (const auto& entry : Registry<ExecutorEntry>::instance().all()) {
    for (const Precision precision : {Precision::Float32, Precision::BFloat16}) {
      const Execution execution{precision, torch::kCPU, entry.name};
      if (!entry.suits(*reference.model(), execution)) continue;
      SCOPED_TRACE(entry.name + " in " + to_string(precision));
      const Classifier classifier(reference.model(), reference.spec(), execution);
      const auto all = classifier.linearize(x, /*keep_graph=*/true);
      const auto found = all.pullback(dlogits);
      EXPECT_TRUE(at::equal(all.pullback(dlogits), found));
      for (const int64_t n : {1, 3}) {
        const auto part = classifier.linearize(x.slice(0, 1, 1 + n));
        EXPECT_TRUE(at::equal(part.logits, all.logits.slice(0, 1, 1 + n)));
        EXPECT_TRUE(at::equal(part.pullback(dlogits.slice(0, 1, 1 + n)), found.slice(0, 1, 1 + n)));
      }
      if (precision != Precision::Float32) continue;
      EXPECT_TRUE(at::allclose(all.logits, logits, 1e-3, 1e-4)) << all.logits - logits;
      EXPECT_TRUE(at::allclose(classifier.logits(x), logits, 1e-3, 1e-4)) << classifier.logits(x) - logits;
      // A ReLU or the largest of a pool may change over, and takes its gradient along.
      EXPECT_LT((found - gradient).norm().item<double>(), 1e-2 * gradient.norm().item<double>());
    }
  }
}

}  // namespace fercli::test
