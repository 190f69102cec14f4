#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "record/shape.hpp"

namespace fercli {

// A record states its members once, in a function `visit_fields(visitor, record)` of namespace fercli (so that it is
// found by the record's type) that calls, in the order of the file,
//   visitor("n", record.n, "images that the metrics are about");
//   visitor("name", record.name);                                 whose name says it all
//   visitor("model", record.model, "the network", schema);        a member that is JSON itself, or of fewer values
//   visitor.optional("attacks", record.attacks, "…", schema);     left out when null
//   visitor.optional("robust", record.robust, "…");               a std::optional, left out when it has no value
//   visitor.defaulted("seconds", record.seconds, "…");            keeps its value where a file lacks it
//   visitor.unless_empty("parts", record.parts, "…", schema);     left out when empty
//   visitor.constant("schema", value, "…");
//   visitor.open();                                               other members may stand there too
// Writing, reading and the JSON Schema follow from it, of a record inside others too.

class FieldWriter {
 public:
  template <class Value, class... About>
  void operator()(const char* name, const Value& value, const About&... /*help, schema*/) {
    document_[name] = Shape<Value>::write(value);
  }
  void optional(const char* name, const nlohmann::json& value, const char* /*help*/, const nlohmann::json& /*schema*/) {
    if (!value.is_null()) document_[name] = value;
  }
  template <class Value>
  void optional(const char* name, const std::optional<Value>& value, const char* /*help*/) {
    if (value) document_[name] = Shape<Value>::write(*value);
  }
  template <class... Member>
  void defaulted(const Member&... member) {
    (*this)(member...);
  }
  template <class Value, class... About>
  void unless_empty(const char* name, const Value& value, const About&... about) {
    if (!value.empty()) (*this)(name, value, about...);
  }
  void constant(const char* name, const nlohmann::json& value, const char* /*help*/) { document_[name] = value; }
  void open() const {}

  nlohmann::ordered_json take() { return std::move(document_); }

 private:
  nlohmann::ordered_json document_;
};

/// Throws JSON's exceptions where a member is missing or of another type. Constants are the caller's to compare.
class FieldReader {
 public:
  explicit FieldReader(const nlohmann::json& document) : document_(document) {}

  template <class Value, class... About>
  void operator()(const char* name, Value& value, const About&... /*help, schema*/) const {
    value = Shape<Value>::read(document_.at(name));
  }
  void optional(const char* name, nlohmann::json& value, const char* /*help*/, const nlohmann::json& /*schema*/) const {
    value = document_.value(name, nlohmann::json());
  }
  template <class Value>
  void optional(const char* name, std::optional<Value>& value, const char* /*help*/) const {
    value.reset();
    if (document_.contains(name)) value = Shape<Value>::read(document_.at(name));
  }
  template <class Value, class... Rest>
  void defaulted(const char* name, Value& value, const Rest&... rest) const {
    if (document_.contains(name)) (*this)(name, value, rest...);
  }
  template <class... Member>
  void unless_empty(Member&&... member) const {
    defaulted(std::forward<Member>(member)...);
  }
  void constant(const char*, const nlohmann::json&, const char*) const {}
  void open() const {}

 private:
  const nlohmann::json& document_;
};

class FieldDescriber {
 public:
  template <class Value>
  void operator()(const char* name, const Value& /*value*/, const char* help = "") {
    always_.emplace_back(name, shape::described(Shape<Value>::schema(), help));
  }
  template <class Value>
  void operator()(const char* name, const Value& /*value*/, const char* help, const nlohmann::json& schema) {
    always_.emplace_back(name, shape::described(schema, help));
  }
  void optional(const char* name, const nlohmann::json& /*value*/, const char* help, const nlohmann::json& schema) {
    sometimes_.emplace_back(name, shape::described(schema, help));
  }
  template <class Value>
  void optional(const char* name, const std::optional<Value>& /*value*/, const char* help) {
    sometimes_.emplace_back(name, shape::described(Shape<Value>::schema(), help));
  }
  template <class... Member>
  void defaulted(const Member&... member) {
    (*this)(member...);
    sometimes_.push_back(std::move(always_.back()));
    always_.pop_back();
  }
  template <class... Member>
  void unless_empty(const Member&... member) {
    defaulted(member...);
  }
  void constant(const char* name, const nlohmann::json& value, const char* help) {
    always_.emplace_back(name, shape::described(shape::constant(value), help));
  }

  void open() { open_ = true; }

  nlohmann::json schema() const { return (open_ ? shape::open_object : shape::object)(always_, sometimes_); }

 private:
  shape::Members always_, sometimes_;
  bool open_ = false;
};

template <class Record>
nlohmann::ordered_json write_record(const Record& record) {
  FieldWriter writer;
  visit_fields(writer, const_cast<Record&>(record));  // which this visitor does not change
  return writer.take();
}

template <class Record>
void read_record(const nlohmann::json& document, Record& record) {
  FieldReader reader(document);
  visit_fields(reader, record);
}

template <class Record>
nlohmann::json schema_of_record() {
  FieldDescriber describer;
  Record record{};
  visit_fields(describer, record);
  return describer.schema();
}

/// Of a record inside others.
template <class Record>
struct Shape<Record, std::void_t<decltype(visit_fields(std::declval<FieldReader&>(), std::declval<Record&>()))>> {
  static nlohmann::json write(const Record& record) { return write_record(record); }
  static Record read(const nlohmann::json& document) {
    Record record{};
    read_record(document, record);
    return record;
  }
  static nlohmann::json schema() { return schema_of_record<Record>(); }
};

}  // namespace fercli
