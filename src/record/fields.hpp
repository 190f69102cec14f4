#pragma once

#include <utility>

#include "record/shape.hpp"

namespace fercli {

// A record states its members once, in a function `visit_fields(visitor, record)` of namespace fercli (so that it is
// found by the record's type) that calls, in the order of the file,
//   visitor("n", record.n, "images that the metrics are about");
//   visitor("model", record.model, "the network", schema);        a member that is JSON itself
//   visitor.optional("attacks", record.attacks, "…", schema);     left out when null
//   visitor.constant("schema", value, "…");
// Writing, reading and the JSON Schema follow from it.

class FieldWriter {
 public:
  template <class Value>
  void operator()(const char* name, const Value& value, const char* /*help*/) {
    document_[name] = Shape<Value>::write(value);
  }
  void operator()(const char* name, const nlohmann::json& value, const char* /*help*/,
                  const nlohmann::json& /*schema*/) {
    document_[name] = value;
  }
  void optional(const char* name, const nlohmann::json& value, const char* /*help*/, const nlohmann::json& /*schema*/) {
    if (!value.is_null()) document_[name] = value;
  }
  void constant(const char* name, const nlohmann::json& value, const char* /*help*/) { document_[name] = value; }

  nlohmann::ordered_json take() { return std::move(document_); }

 private:
  nlohmann::ordered_json document_;
};

/// Throws JSON's exceptions where a member is missing or of another type. Constants are the caller's to compare.
class FieldReader {
 public:
  explicit FieldReader(const nlohmann::json& document) : document_(document) {}

  template <class Value>
  void operator()(const char* name, Value& value, const char* /*help*/) const {
    value = Shape<Value>::read(document_.at(name));
  }
  void operator()(const char* name, nlohmann::json& value, const char* /*help*/,
                  const nlohmann::json& /*schema*/) const {
    value = document_.at(name);
  }
  void optional(const char* name, nlohmann::json& value, const char* /*help*/, const nlohmann::json& /*schema*/) const {
    value = document_.value(name, nlohmann::json());
  }
  void constant(const char*, const nlohmann::json&, const char*) const {}

 private:
  const nlohmann::json& document_;
};

class FieldDescriber {
 public:
  template <class Value>
  void operator()(const char* name, const Value& /*value*/, const char* help) {
    always_.emplace_back(name, shape::described(Shape<Value>::schema(), help));
  }
  void operator()(const char* name, const nlohmann::json& /*value*/, const char* help, const nlohmann::json& schema) {
    always_.emplace_back(name, shape::described(schema, help));
  }
  void optional(const char* name, const nlohmann::json& /*value*/, const char* help, const nlohmann::json& schema) {
    sometimes_.emplace_back(name, shape::described(schema, help));
  }
  void constant(const char* name, const nlohmann::json& value, const char* help) {
    always_.emplace_back(name, shape::described(shape::constant(value), help));
  }

  nlohmann::json schema() const { return shape::object(always_, sometimes_); }

 private:
  shape::Members always_, sometimes_;
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
  Record record;
  visit_fields(describer, record);
  return describer.schema();
}

}  // namespace fercli
