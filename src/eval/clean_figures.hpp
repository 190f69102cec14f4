#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "eval/result_shapes.hpp"

namespace fercli {

/// Of the images as they are.
struct CleanFigures {
  std::map<std::string, Metric> metrics;
  nlohmann::json per_class;
  std::vector<std::vector<int64_t>> confusion_matrix;
  std::vector<ReliabilityBin> reliability;
  std::vector<Metric> share_predicted;
  std::optional<std::vector<std::string>> warnings;
};

template <class Visitor>
void visit_fields(Visitor& field, CleanFigures& figures) {
  using namespace shape;
  const json metric = Shape<Metric>::schema();
  field.open();
  field("metrics", figures.metrics);
  field("per_class", figures.per_class, "",
        list(open_object({{"class", text()},
                          {"support", described(whole(), "images of the class")},
                          {"precision", metric},
                          {"recall", metric},
                          {"f1", metric}})));
  field("confusion_matrix", figures.confusion_matrix, "rows are true classes");
  field("reliability", figures.reliability);
  field("share_predicted", figures.share_predicted, "of each class");
  field.optional("warnings", figures.warnings, "");
}

}  // namespace fercli
