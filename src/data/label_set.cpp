#include "data/label_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/text.hpp"
#include "data/class_limit.hpp"

namespace fercli {

namespace {

/// The unaccented letter of a Latin-1 letter U+00C0 … U+00FF, of which UTF-8's second byte is given; 0 if it has none.
char unaccented(unsigned char second) {
  const unsigned char letter = second & 0x1f;  // upper and lower case differ in bit 5 only
  if (letter <= 0x05) return 'a';
  if (letter == 0x07) return 'c';
  if (letter >= 0x08 && letter <= 0x0b) return 'e';
  if (letter >= 0x0c && letter <= 0x0f) return 'i';
  if (letter == 0x11) return 'n';
  if (letter >= 0x12 && letter <= 0x16) return 'o';
  if (letter >= 0x19 && letter <= 0x1c) return 'u';
  return 0;
}

/// Lower case without accents, whether they are written as one character or as a letter and a combining mark (as the
/// file systems of some machines do).
std::string folded(std::string_view word) {
  const std::string lower = to_lower(trim(word));
  std::string plain;
  for (size_t i = 0; i < lower.size(); ++i) {
    const auto byte = static_cast<unsigned char>(lower[i]);
    const auto next = static_cast<unsigned char>(i + 1 < lower.size() ? lower[i + 1] : 0);
    const bool combining = (byte == 0xcc && next >= 0x80) || (byte == 0xcd && next >= 0x80 && next <= 0xaf);
    const char letter = byte == 0xc3 && next >= 0x80 ? unaccented(next) : 0;
    if (letter != 0) plain += letter;
    if (combining || letter != 0) {
      ++i;
    } else {
      plain += lower[i];
    }
  }
  return plain;
}

}  // namespace

const std::vector<Emotion>& emotions() {
  static const std::vector<Emotion> table = {
      {"Angry", "En colère", "😠", {"angry", "anger", "mad", "colere", "en colere", "en_colere", "fache", "colereux"}},
      {"Disgust", "Dégoûté", "🤢", {"disgust", "disgusted", "degout", "degoute"}},
      {"Fear", "Apeuré", "😨", {"fear", "fearful", "scared", "afraid", "peur", "apeure", "peureux"}},
      {"Happy", "Heureux", "😄", {"happy", "happiness", "joy", "joie", "heureux", "heureuse", "joyeux", "bonheur"}},
      {"Sad", "Triste", "😢", {"sad", "sadness", "triste", "tristesse"}},
      {"Surprise", "Surpris", "😮", {"surprise", "surprised", "surpris"}},
      {"Neutral", "Neutre", "😐", {"neutral", "neutre", "neutrality", "calm"}},
      {"Contempt", "Méprisant", "😏", {"contempt", "contemptuous", "disdain", "mepris", "meprisant"}},
  };
  return table;
}

const Emotion* find_emotion(std::string_view word) {
  const std::string wanted = folded(word);
  for (const auto& emotion : emotions()) {
    if (wanted == folded(emotion.name) || wanted == folded(emotion.french)) return &emotion;
    if (std::find(emotion.aliases.begin(), emotion.aliases.end(), wanted) != emotion.aliases.end()) return &emotion;
  }
  return nullptr;
}

LabelSet::LabelSet(std::vector<std::string> names) : names_(std::move(names)) {
  if (names_.size() > kMostClasses) {
    throw UserError(fmt::format("{} classes are named, where at most {} are allowed", names_.size(), kMostClasses));
  }
  for (auto& name : names_) name = printable(name);
}

LabelSet LabelSet::fer2013() {
  return LabelSet({"Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"});
}

LabelSet LabelSet::alphabetical() {
  return LabelSet({"Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"});
}

LabelSet LabelSet::raf_db() {
  return LabelSet({"Surprise", "Fear", "Disgust", "Happy", "Sad", "Angry", "Neutral"});
}

LabelSet LabelSet::ferplus() {
  return LabelSet({"Neutral", "Happy", "Surprise", "Sad", "Angry", "Disgust", "Fear", "Contempt"});
}

LabelSet LabelSet::affectnet7() {
  return LabelSet({"Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Angry"});
}

LabelSet LabelSet::affectnet8() {
  return LabelSet({"Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Angry", "Contempt"});
}

LabelSet LabelSet::parse(const std::string& text) {
  static const std::map<std::string, LabelSet (*)()> orders{
      {"fer2013", fer2013},      {"alphabetical", alphabetical}, {"raf-db", raf_db},        {"ferplus", ferplus},
      {"affectnet", affectnet7}, {"affectnet7", affectnet7},     {"affectnet8", affectnet8}};
  if (const auto known = orders.find(text); known != orders.end()) return known->second();
  std::vector<std::string> names;
  for (const auto& word : fercli::split(text, ',')) {
    const Emotion* emotion = find_emotion(word);
    const std::string name = emotion != nullptr ? emotion->name : word;
    if (name.empty()) throw UserError(fmt::format("label order '{}': a class name is empty", text));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      throw UserError(fmt::format("label order '{}': names {} twice", text, name));
    }
    names.push_back(name);
  }
  if (names.size() < 2) {
    throw UserError(fmt::format("label order '{}': must be {}, or at least two class names separated by commas", text,
                                kLabelOrders));
  }
  return LabelSet(std::move(names));
}

std::optional<int64_t> LabelSet::find(std::string_view word) const {
  const std::string wanted = folded(word);
  for (size_t i = 0; i < names_.size(); ++i) {
    if (folded(names_[i]) == wanted) return static_cast<int64_t>(i);
  }
  const Emotion* emotion = find_emotion(word);
  for (size_t i = 0; emotion != nullptr && i < names_.size(); ++i) {
    if (find_emotion(names_[i]) == emotion) return static_cast<int64_t>(i);
  }
  return {};
}

int64_t LabelSet::index(std::string_view word) const {
  if (const auto found = find(word)) return *found;
  throw UserError(
      fmt::format("unknown emotion '{}'{} (known: {})", word, did_you_mean(word, names_), join(names_, ", ")));
}

bool LabelSet::has_same_names(const LabelSet& other) const {
  return size() == other.size() && std::is_permutation(names_.begin(), names_.end(), other.names_.begin());
}

std::vector<int64_t> LabelSet::mapping_from(const LabelSet& other) const {
  std::vector<int64_t> mapping;
  for (const auto& name : other.names()) mapping.push_back(find(name).value_or(-1));
  return mapping;
}

std::string display_name(const std::string& name, const std::string& language) {
  const Emotion* emotion = language == "fr" ? find_emotion(name) : nullptr;
  return emotion != nullptr ? emotion->french : name;
}

int64_t top_of(const std::vector<double>& probabilities) {
  return std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
}

}  // namespace fercli
