#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fercli {

/// A place in a report: the JSON there, and the JSON pointer that leads to it. What is absent is a null view, and so is
/// everything below it. Refers to the document, which must outlive it.
class View {
 public:
  View();  ///< absent
  explicit View(const nlohmann::json& document) : value_(&document) {}

  View at(const std::string& key) const;
  View at(size_t index) const;
  View back() const;  ///< the last element

  /// Neither absent nor null.
  explicit operator bool() const { return !value_->is_null(); }
  const nlohmann::json& json() const { return *value_; }
  std::string pointer() const { return pointer_.to_string(); }

  size_t size() const;                    ///< of an array; 0 when absent
  std::vector<View> elements() const;     ///< of an array; none when absent
  std::vector<std::string> keys() const;  ///< of an object, sorted; none when absent

  /// These throw UserError, naming the pointer, when something else is there.
  double number() const;     ///< NaN when absent
  std::string text() const;  ///< "" when absent
  bool flag() const;         ///< false when absent

 private:
  View(const nlohmann::json* value, nlohmann::json::json_pointer pointer)
      : value_(value), pointer_(std::move(pointer)) {}

  const nlohmann::json* value_;
  nlohmann::json::json_pointer pointer_;
};

}  // namespace fercli
