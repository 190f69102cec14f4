#pragma once

#include <torch/types.h>

#include <cstdint>

#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli {

struct Predictions {
  torch::Tensor probabilities;  ///< (N,K) float64, softmax of the logits; K classes of the classifier
  double seconds;               ///< wall time, without reading the data set
};

/// Runs the classifier over all images, with a progress line. The numbers do not depend on the batch size, the number of
/// threads or the order of the images. Throws Interrupted on Ctrl-C, RunError when the network gives NaN.
Predictions predict(const Classifier& classifier, const Dataset& dataset, int64_t batch_size);

}  // namespace fercli
