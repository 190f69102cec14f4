#pragma once

#include "attacks/engine/attack.hpp"
#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli::test {

/// class0, class1, …
LabelSet numbered_classes(int64_t count);

/// logits[k] = sum of weight[k] * x + bias[k], pixels as they are: every attack has a known answer on it.
/// weight: (K, side*side) float32; bias: (K).
Classifier linear_classifier(const torch::Tensor& weight, const torch::Tensor& bias, int64_t side,
                             Precision precision = Precision::Float32);

/// An untrained small-cnn on side x side grey images whose head is scaled up, so that it is sure of itself.
Classifier confident_cnn(int64_t side, Precision precision = Precision::Float32);

/// uint8 (n,1,side,side), smooth blobs between `low` and `high`; the same for the same seed.
torch::Tensor test_images(int64_t n, int64_t side, int64_t low, int64_t high, uint64_t seed = 1);

/// An input for these images: untargeted from the classifier's own verdict, or targeted at the next class.
AttackInput make_input(const Classifier& classifier, const torch::Tensor& images, bool targeted);

}  // namespace fercli::test
