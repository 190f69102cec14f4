#include "eval/result_shapes.hpp"

namespace fercli {

nlohmann::json Shape<Interval>::write(const Interval& interval) {
  return {Shape<double>::write(interval.low), Shape<double>::write(interval.high)};
}

Interval Shape<Interval>::read(const nlohmann::json& json) {
  return {Shape<double>::read(json.at(0)), Shape<double>::read(json.at(1))};
}

nlohmann::json Shape<Interval>::schema() {
  return shape::pair(shape::number());
}

Cost& Cost::operator+=(const Cost& other) {
  forward += other.forward;
  backward += other.backward;
  seconds += other.seconds;
  return *this;
}

AttackedIn attacked_in(Norm norm, const Budget& eps, nlohmann::json attack) {
  return {{eps.text, eps.eps, std::move(attack)}, to_string(norm), describe_levels(norm, eps.eps)};
}

nlohmann::json levels_schema() {
  using namespace shape;
  return described(object({{"counts", text()}, {"at_most", whole()}, {"distance", number()}}),
                   "what 8-bit images make of eps");
}

nlohmann::json model_schema() {
  using namespace shape;
  return open_object({{"model", text()},
                      {"digest", text()},
                      {"arch", text()},
                      {"settings", open_object({})},
                      {"classes", list(text())},
                      {"preprocessing", open_object({})}},
                     {{"name", text()},
                      {"executor", text()},
                      {"precision", text()},
                      {"search_precision", text()},
                      {"verdict_precision", text()}});
}

nlohmann::json options_schema() {
  using namespace shape;
  return map_of(object({{"value", text()}, {"source", described(text(), "command line, default or a file")}}));
}

}  // namespace fercli
