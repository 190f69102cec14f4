#pragma once

#include <string>
#include <vector>

#include "core/observer.hpp"
#include "data/dataset.hpp"
#include "eval/result_shapes.hpp"
#include "models/classifier.hpp"

namespace fercli {

struct CorruptionOptions {
  std::vector<std::string> kinds = {};  ///< names from data/corruptions/corruption.hpp; none: all fifteen
  uint64_t seed = 0;
  int64_t batch_size = 64;  ///< results do not depend on it
};

struct CorruptionKind {
  std::string name, family;
  std::vector<Metric> accuracy;
  Metric mean;
};

template <class Visitor>
void visit_fields(Visitor& field, CorruptionKind& kind) {
  field("name", kind.name);
  field("family", kind.family);
  field("accuracy", kind.accuracy, "of each severity");
  field("mean", kind.mean, "over images, of their severities");
}

/// Accuracy under common corruptions.
struct CorruptionStudy {
  std::vector<CorruptionKind> kinds;  ///< in the paper's order
  Metric clean, mean;
  std::vector<double> severity_mean;
  double relative_mean = 0;  ///< NaN without a right answer
  int64_t n = 0;
  uint64_t seed = 0;
  std::string precision;  ///< "fp32" | "bf16"
  Cost cost;              ///< not a member of its record
};

template <class Visitor>
void visit_fields(Visitor& field, CorruptionStudy& study) {
  field.open();
  field("kinds", study.kinds);
  field("clean", study.clean, "accuracy");
  field("mean", study.mean, "over images, of all kinds and severities");
  field("severity_mean", study.severity_mean);
  field("relative_mean_corruption_accuracy", study.relative_mean, "mean / clean");
  field("n", study.n);
  field("seed", study.seed);
  field("precision", study.precision);
}

/// A mean's interval takes each image's share of right answers as one observation, as its answers under the several
/// corruptions depend on each other: mean ± 1.96 s/√n over the n images. Labels must be in the order of the
/// classifier's classes. Decisions are those of the classifier as given, in its precision. Throws UserError on an
/// unknown kind; Interrupted.
CorruptionStudy study_corruptions(const Classifier& classifier, const Dataset& dataset,
                                  const CorruptionOptions& options, Observer& observer = Observer::none());

}  // namespace fercli
