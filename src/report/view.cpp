#include "report/view.hpp"

#include <fmt/format.h>

#include <limits>

#include "core/error.hpp"
#include "core/json_text.hpp"

namespace fercli {

namespace {

const nlohmann::json kNoValue;

[[noreturn]] void complain(const View& view, const char* expected) {
  throw UserError(
      fmt::format("report: {} is {}, not {}", view.pointer(), compact_json(view.json()).substr(0, 60), expected));
}

}  // namespace

View::View() : value_(&kNoValue) {}

View View::at(const std::string& key) const {
  if (!value_->is_null() && !value_->is_object()) complain(*this, "an object");
  const auto place = value_->is_null() ? value_->end() : value_->find(key);
  return {place == value_->end() ? &kNoValue : &*place, pointer_ / key};
}

View View::at(size_t index) const {
  return {index < size() ? &(*value_)[index] : &kNoValue, pointer_ / index};
}

View View::back() const {
  return at(std::max<size_t>(size(), 1) - 1);
}

size_t View::size() const {
  if (!value_->is_null() && !value_->is_array()) complain(*this, "a list");
  return value_->size();
}

std::vector<View> View::elements() const {
  std::vector<View> views;
  for (size_t i = 0; i < size(); ++i) views.push_back(at(i));
  return views;
}

std::vector<std::string> View::keys() const {
  if (!value_->is_null() && !value_->is_object()) complain(*this, "an object");
  std::vector<std::string> names;
  for (const auto& [name, unused] : value_->items()) names.push_back(name);
  return names;
}

double View::number() const {
  if (value_->is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value_->is_number()) complain(*this, "a number");
  return value_->get<double>();
}

std::string View::text() const {
  if (value_->is_null()) return "";
  if (!value_->is_string()) complain(*this, "a text");
  return value_->get<std::string>();
}

bool View::flag() const {
  if (value_->is_null()) return false;
  if (!value_->is_boolean()) complain(*this, "true or false");
  return value_->get<bool>();
}

}  // namespace fercli
