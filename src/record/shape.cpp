#include "record/shape.hpp"

#include <cmath>
#include <limits>

#include "core/json_limits.hpp"

namespace fercli {

namespace shape {

json text() {
  return {{"type", "string"}};
}
json flag() {
  return {{"type", "boolean"}};
}
json whole() {
  return {{"type", "integer"}};
}
json number() {
  return {{"type", {"number", "null"}}};
}
json share() {
  return {{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
}
json constant(json value) {
  return {{"const", std::move(value)}};
}
json one_of(const std::vector<std::string>& words) {
  return {{"enum", words}};
}
json list(json item) {
  return {{"type", "array"}, {"items", std::move(item)}};
}
json pair(json item) {
  json schema = list(std::move(item));
  schema["minItems"] = schema["maxItems"] = 2;
  return schema;
}
json map_of(json value) {
  return {{"type", "object"}, {"additionalProperties", std::move(value)}};
}

json open_object(const Members& always, const Members& sometimes) {
  json schema = {{"type", "object"}, {"properties", json::object()}, {"required", json::array()}};
  for (const auto& [name, member] : always) {
    schema["properties"][name] = member;
    schema["required"].push_back(name);
  }
  for (const auto& [name, member] : sometimes) schema["properties"][name] = member;
  return schema;
}

json object(const Members& always, const Members& sometimes) {
  json schema = open_object(always, sometimes);
  schema["additionalProperties"] = false;
  return schema;
}

json described(json schema, const std::string& help) {
  if (!help.empty()) schema["description"] = help;
  return schema;
}

json titled(json schema, const std::string& title) {
  schema["title"] = title;
  return schema;
}

Members joined(Members first, const Members& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

json or_null(json schema) {
  schema["type"] = {schema.at("type"), "null"};
  return schema;
}

}  // namespace shape

nlohmann::json Shape<double>::write(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

double Shape<double>::read(const nlohmann::json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

template <>
int64_t Shape<int64_t>::read(const nlohmann::json& json) {
  return whole_of<int64_t>(json);
}

template <>
uint64_t Shape<uint64_t>::read(const nlohmann::json& json) {
  return whole_of<uint64_t>(json);
}

}  // namespace fercli
