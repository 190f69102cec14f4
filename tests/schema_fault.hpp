#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fercli::test {

inline bool has_type(const nlohmann::json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) || (type == "number" && value.is_number()) ||
         (type == "null" && value.is_null());
}

/// Where and why the value does not fit the JSON Schema; "" when it does. Throws for a keyword that fercli's schemas do
/// not use.
inline std::string schema_fault(const nlohmann::json& schema, const nlohmann::json& value, const std::string& at = "") {
  for (const auto& [keyword, rule] : schema.items()) {
    std::string fault;
    if (keyword == "type") {
      const auto types = rule.is_array() ? rule : nlohmann::json::array({rule});
      bool fits = false;
      for (const auto& type : types) fits = fits || has_type(value, type);
      if (!fits) fault = at + ": is not of type " + rule.dump();
    } else if (keyword == "const") {
      if (value != rule) fault = at + ": is not " + rule.dump();
    } else if (keyword == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) fault = at + ": is none of " + rule.dump();
    } else if (keyword == "required") {
      for (const auto& name : rule)
        if (!value.contains(name.get<std::string>())) fault = at + ": lacks " + name.dump();
    } else if (keyword == "properties") {
      for (const auto& [name, member] : rule.items())
        if (value.is_object() && value.contains(name) && fault.empty())
          fault = schema_fault(member, value[name], at + "/" + name);
    } else if (keyword == "additionalProperties") {
      for (const auto& [name, member] : value.items()) {
        if ((schema.contains("properties") && schema["properties"].contains(name)) || !fault.empty()) continue;
        fault = rule == false ? at + ": has " + name + " too" : schema_fault(rule, member, at + "/" + name);
      }
    } else if (keyword == "items") {
      for (size_t i = 0; i < value.size() && fault.empty(); ++i)
        fault = schema_fault(rule, value[i], at + "/" + std::to_string(i));
    } else if (keyword == "minItems") {
      if (value.size() < rule.get<size_t>()) fault = at + ": is too short";
    } else if (keyword == "maxItems") {
      if (value.size() > rule.get<size_t>()) fault = at + ": is too long";
    } else if (keyword != "$schema" && keyword != "title" && keyword != "description") {
      throw std::invalid_argument("unknown keyword " + keyword);
    }
    if (!fault.empty()) return fault;
  }
  return "";
}

}  // namespace fercli::test
