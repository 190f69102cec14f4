#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "models/classifier.hpp"

namespace fercli {

struct CorruptionOptions {
  std::vector<std::string> kinds = {};  ///< names from data/corruptions/corruption.hpp; none: all fifteen
  uint64_t seed = 0;
  int64_t batch_size = 64;  ///< results do not depend on it
};

/// Accuracy under common corruptions:
///
///     {"kinds": [{"name", "family", "accuracy": [Metric of each severity], "mean": Metric}, …], in the paper's order
///      "mean": Metric, "clean": Metric, "severity_mean": [5 values], "relative_mean_corruption_accuracy": value |
///      null, "n", "seed", "precision": "fp32" | "bf16", "cost": {"forward", "backward": 0, "seconds"}}
///
/// A mean's interval takes each image's share of right answers as one observation, as its answers under the several
/// corruptions depend on each other: mean ± 1.96 s/√n over the n images. `relative_…` is mean / clean. Labels must be
/// in the order of the classifier's classes. Decisions are those of the classifier as given, in its precision. Throws
/// UserError on an unknown kind; Interrupted.
nlohmann::json study_corruptions(const Classifier& classifier, const Dataset& dataset, const CorruptionOptions& options,
                                 Observer& observer = Observer::none());

}  // namespace fercli
