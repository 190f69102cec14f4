#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/registry.hpp"
#include "record/message.hpp"
#include "report/document.hpp"

namespace fercli {

/// Every word that a report says of itself, in English and French. Those of one section are in its file; those of the
/// page, of sessions and of several sections, and the heads of columns, in texts.cpp.
struct ReportText {
  static constexpr const char* kKind = "report text";
  std::string name;  ///< its key
  Wording wording;   ///< may name places to fill, "{n} images"
};

/// `const RegisterTexts texts{{"regions.title", {"What matters in the face", "Ce qui compte dans le visage"}}, …};` at
/// file scope. Throws std::logic_error when a key is taken.
struct RegisterTexts {
  RegisterTexts(std::initializer_list<ReportText> texts) {
    for (const auto& text : texts) Registry<ReportText>::instance().add(text);
  }
};

/// All of these throw std::logic_error on an unknown key, language or place.

using Words = std::vector<std::pair<std::string, std::string>>;
using Phrases = std::vector<std::pair<std::string, Text>>;

std::string words_of(const std::string& key, const std::string& language, const Words& values = {});
Text phrase_of(const std::string& key, const std::string& language, const Phrases& values = {});

/// A message of the JSON in the report's language; in English where its key has no wording.
std::string words_of(const Message& message, const std::string& language);

/// The text before its places are filled.
std::string text_template(const std::string& key, const std::string& language);
bool is_text(const std::string& key);
std::vector<std::string> text_keys();

/// "{n} images of {class}" -> "n", "class".
std::vector<std::string> places_in(const std::string& text);

}  // namespace fercli
