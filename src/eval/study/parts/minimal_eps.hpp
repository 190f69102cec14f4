#pragma once

#include <optional>
#include <string>
#include <vector>

#include "eval/result_shapes.hpp"

namespace fercli {

struct EpsPoint {
  double eps = 0;
  Metric robust_accuracy;
};

template <class Visitor>
void visit_fields(Visitor& field, EpsPoint& point) {
  field("eps", point.eps);
  field("robust_accuracy", point.robust_accuracy);
}

struct EpsQuantile {
  double q = 0, value = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, EpsQuantile& quantile) {
  field("q", quantile.q, "", shape::share());
  field("value", quantile.value, "null: beyond the search");
}

/// How small a perturbation suffices. A saved result tells only the first three.
struct MinimalEps {
  std::string attack;
  Metric median;
  std::vector<EpsPoint> curve;
  nlohmann::json settings;
  std::optional<int64_t> n, images;
  std::optional<std::vector<EpsQuantile>> quantiles;
};

template <class Visitor>
void visit_fields(Visitor& field, MinimalEps& found) {
  field.open();
  field("attack", found.attack);
  field("median", found.median);
  field("curve", found.curve);
  field.optional("settings", found.settings, "", shape::open_object({}));
  field.optional("n", found.n, "images that are classified rightly");
  field.optional("images", found.images, "");
  field.optional("quantiles", found.quantiles, "");
}

}  // namespace fercli
