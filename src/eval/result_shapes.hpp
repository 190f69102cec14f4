#pragma once

#include "eval/result.hpp"
#include "record/shape.hpp"

namespace fercli {

template <>
struct Shape<Metric> {
  static nlohmann::json write(const Metric& metric) { return to_json(metric); }
  static Metric read(const nlohmann::json& json) { return metric_from_json(json); }
  static nlohmann::json schema();  ///< an interval is one of 95 %
};

nlohmann::json interval_schema();     ///< from low to high
nlohmann::json levels_schema();       ///< of `describe_levels`
shape::Members attacked_at();         ///< eps and attack of what is measured at one eps
nlohmann::json cost_schema();         ///< what figures cost
nlohmann::json reliability_schema();  ///< of a reliability diagram
nlohmann::json model_schema();        ///< of `describe_model`
nlohmann::json options_schema();      ///< of OptionSet::provenance
nlohmann::json environment_schema();  ///< of `environment_json`

}  // namespace fercli
