#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "eval/clean_figures.hpp"
#include "eval/result.hpp"
#include "models/classifier.hpp"

namespace fercli {

struct Predictions {
  torch::Tensor probabilities;  ///< (N,K) float64, softmax of the logits; K classes of the classifier
  double seconds;               ///< wall time, without reading the data set
};

/// Runs the classifier over all images. The numbers do not depend on the batch size, the number
/// of threads or the order of the images. Throws Interrupted on Ctrl-C, RunError when the network gives NaN.
Predictions predict(const Classifier& classifier, const Dataset& dataset, int64_t batch_size,
                    Observer& observer = Observer::none());

/// Metrics accuracy, balanced_accuracy, macro_f1, ece, ece_if_calibrated (what a perfectly calibrated network with
/// these confidences would have), brier and nll, and accuracy_by_votes where the images have votes; the tables
/// beside them; and a `label_order_hint` where there is one. `dataset` must have labels in the order of its classes,
/// which are the network's, and none missing.
CleanFigures clean_figures(const Predictions& predictions, const Dataset& dataset, uint64_t seed);

/// These figures as metrics and part `clean`; n, outcomes, per-image part (`describe_pixels`; probabilities with six
/// digits, in the order of the classes), model (see `describe_model`) and timing. The caller adds the rest.
Result summarise(const CleanFigures& figures, const Predictions& predictions, const Dataset& dataset,
                 nlohmann::json model);

/// Accuracy over the images of `dataset` whose pixels do not occur in `training`.
Metric deduplicated_accuracy(const Predictions& predictions, const Dataset& dataset, const Dataset& training);

/// One sentence when the predictions fit the labels far better after exchanging one known label order of these classes
/// (FER2013's, alphabetical, RAF-DB's, …) for another: then model or data name their classes in the wrong order.
/// `classes` are those of the confusion matrix.
std::optional<std::string> label_order_hint(const torch::Tensor& confusion, const LabelSet& classes);

}  // namespace fercli
