#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

namespace fercli {

/// Words in both languages of a report.
struct Wording {
  const char *english, *french;
};

/// What documents say and a report can say in French, by key; each {} stands for a value, in the same order in both
/// languages.
const std::map<std::string, Wording>& message_wordings();

/// Keys of warnings that a sanity flag or an invariant of the same document says in full.
constexpr const char *kFlagRaised = "sanity.raised", *kInvariantViolated = "invariants.violated";

/// Something that a JSON document says to people: {"key": "zero-gradients.found", "values": ["3", "32"], "text": "the
/// gradient is zero at 3 of 32 images"}. A report says it in its language from key and values, which are rounded as the
/// text shows them; a text without key, or with one that has no wording, it shows as it is.
struct Message {
  std::string key;
  std::vector<std::string> values;
  std::string text;  ///< in English

  /// Throws std::out_of_range on a key without wording.
  template <class... Values>
  static Message of(const std::string& key, const Values&... values) {
    return {key,
            {fmt::format("{}", values)...},
            fmt::vformat(message_wordings().at(key).english, fmt::make_format_args(values...))};
  }
};

template <class Visitor>
void visit_fields(Visitor& field, Message& message) {
  field.unless_empty("key", message.key, "of the text, whatever its language");
  field.unless_empty("values", message.values, "at the places of the text, in English");
  field("text", message.text, "in English");
}

/// What a result warns of.
struct Warning {
  std::string model;  ///< that it is about; "": the only one, or all
  Message message;

  std::string line() const { return model.empty() ? message.text : model + ": " + message.text; }
};

template <class Visitor>
void visit_fields(Visitor& field, Warning& warning) {
  field.unless_empty("model", warning.model, "that it is about; absent: the only one, or all");
  visit_fields(field, warning.message);
}

/// Lines without keys.
std::vector<Warning> plain_warnings(const std::vector<std::string>& lines, const std::string& model = "");

}  // namespace fercli
