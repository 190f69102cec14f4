#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace fercli {

/// Pieces of JSON Schemas, draft 2020-12.
namespace shape {

using nlohmann::json;

using Members = std::vector<std::pair<std::string, json>>;

json text();
json flag();
json whole();
json number();              ///< or null, which stands for what is not finite
json share();               ///< 0 to 1
json constant(json value);  ///< this value and no other
json one_of(const std::vector<std::string>& words);
json list(json item);
json pair(json item);
json map_of(json value);                                                 ///< an object with names of any kind
json object(const Members& always, const Members& sometimes = {});       ///< and with nothing else in it
json open_object(const Members& always, const Members& sometimes = {});  ///< other members may be there too
json described(json schema, const std::string& help);                    ///< "": as it is
json or_null(json schema);                                               ///< of one that has a type
json titled(json schema, const std::string& title);
Members joined(Members first, const Members& second);

}  // namespace shape

/// How a value of a record stands in JSON: `write`, `read` (throws JSON's exceptions), `schema`.
template <class Value, class = void>
struct Shape {
  static nlohmann::json write(const Value& value) { return value; }
  static Value read(const nlohmann::json& json) { return json.get<Value>(); }
  static nlohmann::json schema();
};

template <>
struct Shape<double> {
  static nlohmann::json write(double value);
  static double read(const nlohmann::json& json);
  static nlohmann::json schema() { return shape::number(); }
};

template <class Value>
struct Shape<std::vector<Value>> {
  static nlohmann::json write(const std::vector<Value>& values) {
    auto list = nlohmann::json::array();
    for (const auto& value : values) list.push_back(Shape<Value>::write(value));
    return list;
  }
  static std::vector<Value> read(const nlohmann::json& json) {
    std::vector<Value> values;
    for (const auto& value : json.get_ref<const nlohmann::json::array_t&>())
      values.push_back(Shape<Value>::read(value));
    return values;
  }
  static nlohmann::json schema() { return shape::list(Shape<Value>::schema()); }
};

/// Null where there is none.
template <class Value>
struct Shape<std::optional<Value>> {
  static nlohmann::json write(const std::optional<Value>& value) {
    return value ? nlohmann::json(Shape<Value>::write(*value)) : nlohmann::json();
  }
  static std::optional<Value> read(const nlohmann::json& json) {
    if (json.is_null()) return {};
    return Shape<Value>::read(json);
  }
  static nlohmann::json schema() { return shape::or_null(Shape<Value>::schema()); }
};

/// An object whose names stand in an order of their own.
template <class Value>
struct Shape<std::vector<std::pair<std::string, Value>>> {
  static nlohmann::ordered_json write(const std::vector<std::pair<std::string, Value>>& values) {
    auto object = nlohmann::ordered_json::object();
    for (const auto& [name, value] : values) object[name] = Shape<Value>::write(value);
    return object;
  }
  static nlohmann::json schema() { return shape::map_of(Shape<Value>::schema()); }
};

template <class Value>
struct Shape<std::map<std::string, Value>> {
  static nlohmann::json write(const std::map<std::string, Value>& values) {
    auto object = nlohmann::json::object();
    for (const auto& [name, value] : values) object[name] = Shape<Value>::write(value);
    return object;
  }
  static std::map<std::string, Value> read(const nlohmann::json& json) {
    std::map<std::string, Value> values;
    for (const auto& [name, value] : json.get_ref<const nlohmann::json::object_t&>())
      values[name] = Shape<Value>::read(value);
    return values;
  }
  static nlohmann::json schema() { return shape::map_of(Shape<Value>::schema()); }
};

template <>
inline nlohmann::json Shape<std::string>::schema() {
  return shape::text();
}
template <>
inline nlohmann::json Shape<bool>::schema() {
  return shape::flag();
}
template <>
inline nlohmann::json Shape<int64_t>::schema() {
  return shape::whole();
}
template <>
inline nlohmann::json Shape<uint64_t>::schema() {
  return shape::whole();
}
// Of a figure like 1e30, which the type does not hold, JSON's own conversion would be undefined.
template <>
int64_t Shape<int64_t>::read(const nlohmann::json& json);
template <>
uint64_t Shape<uint64_t>::read(const nlohmann::json& json);

}  // namespace fercli
