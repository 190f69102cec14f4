#pragma once

#include "eval/campaign/trial.hpp"
#include "eval/result.hpp"
#include "record/fields.hpp"

namespace fercli {

/// From low to high.
template <>
struct Shape<Interval> {
  static nlohmann::json write(const Interval& interval);
  static Interval read(const nlohmann::json& json);
  static nlohmann::json schema();
};

template <class Visitor>
void visit_fields(Visitor& field, Metric& metric) {
  field.open();
  field("value", metric.value);
  field("interval", metric.interval, "95 %, from low to high; null where there is none");
  field("n", metric.n, "of how many");
}

template <class Visitor>
void visit_fields(Visitor& field, ReliabilityBin& bin) {
  field.open();
  field("low", bin.low, "", shape::share());
  field("high", bin.high, "", shape::share());
  field("confidence", bin.confidence, "mean of the bin; null: empty");
  field("accuracy", bin.accuracy);
  field("n", bin.accuracy.n);
}

/// What figures cost.
struct Cost {
  int64_t forward = 0, backward = 0;
  double seconds = 0;

  Cost& operator+=(const Cost& other);
};

template <class Visitor>
void visit_fields(Visitor& field, Cost& cost) {
  field("forward", cost.forward, "images through the network");
  field("backward", cost.backward, "gradients of an image");
  field("seconds", cost.seconds);
}

nlohmann::json levels_schema();  ///< of `describe_levels`

/// What is measured under one attack at one eps.
struct AttackedAt {
  std::string eps;
  double eps_value = 0;
  nlohmann::json attack;  ///< its settings
};

template <class Visitor>
void visit_fields(Visitor& field, AttackedAt& at) {
  field.open();
  field("eps", at.eps);
  field("eps_value", at.eps_value);
  field("attack", at.attack, "and its settings", shape::open_object({{"name", shape::text()}}));
}

/// The same in a norm that may be another, of 8-bit images.
struct AttackedIn {
  AttackedAt at;
  std::string norm;
  nlohmann::json levels;  ///< see `describe_levels`
};

template <class Visitor>
void visit_fields(Visitor& field, AttackedIn& in) {
  visit_fields(field, in.at);
  field("norm", in.norm);
  field.optional("eps_levels", in.levels, "", levels_schema());
}

AttackedIn attacked_in(Norm norm, const Budget& eps, nlohmann::json attack);

/// The data that a command read, see `describe_dataset`; a picture attacked as a whole has its size instead.
struct DataFacts {
  std::string name;
  std::optional<std::string> split, digest;
  std::optional<int64_t> n, skipped;
  std::vector<std::string> classes;
  std::optional<int64_t> width, height, faces;
};

template <class Visitor>
void visit_fields(Visitor& field, DataFacts& data) {
  field.open();
  field("name", data.name);
  field.optional("split", data.split, "");
  field.optional("n", data.n, "");
  field.optional("digest", data.digest, "");
  field.optional("skipped", data.skipped, "");
  field.unless_empty("classes", data.classes);
  field.optional("width", data.width, "");
  field.optional("height", data.height, "");
  field.optional("faces", data.faces, "");
}

nlohmann::json model_schema();    ///< of `describe_model`
nlohmann::json options_schema();  ///< of OptionSet::provenance

}  // namespace fercli
