#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/document.hpp"

namespace fercli {

/// Every word that a report says of itself, in English and French, is in texts.cpp, by key. A text may name places to
/// fill, "{n} images". All of these throw std::logic_error on an unknown key, language or place.

using Words = std::vector<std::pair<std::string, std::string>>;
using Phrases = std::vector<std::pair<std::string, Text>>;

std::string words_of(const std::string& key, const std::string& language, const Words& values = {});
Text phrase_of(const std::string& key, const std::string& language, const Phrases& values = {});

/// A sentence of the JSON in the report's language; unchanged where none of `stored_sentences` has its form.
std::string translate(const std::string& english, const std::string& language);

/// The text before its places are filled.
std::string text_template(const std::string& key, const std::string& language);
bool is_text(const std::string& key);
std::vector<std::string> text_keys();

/// "{n} images of {class}" -> "n", "class".
std::vector<std::string> places_in(const std::string& text);

}  // namespace fercli
