#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

namespace fercli {

/// Words in both languages of a report.
struct Wording {
  const char *english, *french;
};

using WordingTable = std::map<std::string, Wording>;

/// The sentences that JSON documents store in English and a report can say in French, by key; each {} stands for a
/// value, in the same order in both languages. A report finds the key and the values by the English form, so a wording
/// that changes keeps its earlier form under a key of its own.
const WordingTable& stored_sentences();

/// As documents store it. Throws std::out_of_range on an unknown key.
template <class... Values>
std::string stored_sentence(const std::string& key, const Values&... values) {
  return fmt::vformat(stored_sentences().at(key).english, fmt::make_format_args(values...));
}

}  // namespace fercli
