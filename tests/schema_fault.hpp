#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "record/document_kind.hpp"

namespace fercli::test {

inline bool has_type(const nlohmann::json& value, const std::string& type) {
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "boolean" && value.is_boolean()) ||
         (type == "integer" && value.is_number_integer()) || (type == "number" && value.is_number()) ||
         (type == "null" && value.is_null());
}

/// The type that a keyword is about; values of other types fit it, whatever it says. "": it is about all of them.
inline std::string type_concerned(const std::string& keyword) {
  static const std::map<std::string, std::string> types{
      {"required", "object"}, {"properties", "object"}, {"additionalProperties", "object"},
      {"items", "array"},     {"minItems", "array"},    {"maxItems", "array"},
      {"minimum", "number"},  {"maximum", "number"}};
  const auto found = types.find(keyword);
  return found == types.end() ? "" : found->second;
}

/// Where and why the value does not fit the JSON Schema; "" when it does. Throws for a keyword that fercli's schemas do
/// not use.
inline std::string schema_fault(const nlohmann::json& schema, const nlohmann::json& value, const std::string& at = "") {
  for (const auto& [keyword, rule] : schema.items()) {
    const std::string concerned = type_concerned(keyword);
    if (!concerned.empty() && !has_type(value, concerned)) continue;
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
    } else if (keyword == "anyOf") {
      std::string faults;
      for (const auto& form : rule) {
        const std::string of_form = schema_fault(form, value, at);
        if (of_form.empty()) faults.clear();
        if (of_form.empty()) break;
        faults += (faults.empty() ? "" : "; or ") + of_form;
      }
      fault = faults;
    } else if (keyword == "required") {
      for (const auto& name : rule)
        if (!value.contains(name.get<std::string>())) fault = at + ": lacks " + name.dump();
    } else if (keyword == "properties") {
      for (const auto& [name, member] : rule.items())
        if (value.contains(name) && fault.empty()) fault = schema_fault(member, value[name], at + "/" + name);
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
    } else if (keyword == "minimum") {
      if (value < rule) fault = at + ": is under " + rule.dump();
    } else if (keyword == "maximum") {
      if (value > rule) fault = at + ": is over " + rule.dump();
    } else if (keyword != "$schema" && keyword != "title" && keyword != "description") {
      throw std::invalid_argument("unknown keyword " + keyword);
    }
    if (!fault.empty()) return fault;
  }
  return "";
}

/// Of each kind. Threads may ask at once.
inline const std::map<std::string, nlohmann::json>& document_schemas() {
  static const auto schemas = [] {
    std::map<std::string, nlohmann::json> all;
    for (const auto& each : Registry<DocumentKind>::instance().all()) all[each.name] = schema_document(each);
    return all;
  }();
  return schemas;
}

/// The kind that a document says it is; "": none that there is.
inline std::string kind_of(const nlohmann::json& document) {
  static const nlohmann::json::json_pointer says("/properties/schema/const");
  if (!document.is_object() || !document.contains("schema")) return "";
  for (const auto& [name, schema] : document_schemas())
    if (schema.contains(says) && schema.at(says) == document["schema"]) return name;
  return "";
}

/// Fails the test unless the document is one of this kind.
inline void expect_document(const std::string& kind, const nlohmann::json& document, const std::string& where) {
  const auto schema = document_schemas().find(kind);
  if (schema == document_schemas().end()) {
    ADD_FAILURE() << where << ": there is no schema of '" << kind << "'";
  } else {
    EXPECT_EQ(schema_fault(schema->second, document), "") << where;
  }
}

}  // namespace fercli::test
