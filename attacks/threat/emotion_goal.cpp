#include "attacks/threat/emotion_goal.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr const char* kSeparator = "-to-";
constexpr const char* kAny = "any";
constexpr const char* kUntargeted = "untargeted";

/// Every word that names one of the classes.
std::vector<std::string> known_words(const LabelSet& classes) {
  std::vector<std::string> words{kAny};
  for (const auto& name : classes.names()) {
    words.push_back(to_lower(name));
    const Emotion* emotion = find_emotion(name);
    if (emotion != nullptr) words.insert(words.end(), emotion->aliases.begin(), emotion->aliases.end());
  }
  return words;
}

std::optional<int64_t> parse_side(const std::string& word, const std::string& text, const LabelSet& classes) {
  if (to_lower(word) == kAny) return {};
  if (const auto index = classes.find(word)) return index;
  const std::string list = join(classes.names(), ", ");
  if (const Emotion* emotion = find_emotion(word)) {
    throw UserError(fmt::format("{}: the model has no class {} (it has {})", text, emotion->name, list));
  }
  throw UserError(fmt::format("{}: unknown emotion '{}'{} (the model knows {})", text, word,
                              did_you_mean(to_lower(word), known_words(classes)), list));
}

/// Where SOURCE-to-TARGET parts: names of classes may hold "-to-" themselves.
size_t place_of_separator(const std::string& text, const LabelSet& classes) {
  const auto known = [&](const std::string& word) { return to_lower(word) == kAny || classes.find(word).has_value(); };
  const std::string lower = to_lower(text);
  const size_t length = std::string(kSeparator).size(), first = lower.find(kSeparator);
  for (size_t place = first; place != std::string::npos; place = lower.find(kSeparator, place + 1)) {
    if (known(text.substr(0, place)) && known(text.substr(place + length))) return place;
  }
  return first;
}

}  // namespace

Goal EmotionGoal::for_labels(const torch::Tensor& labels) const {
  return target ? Goal::targeted(torch::full_like(labels, *target)) : Goal::untargeted(labels);
}

EmotionGoal parse_emotion_goal(const std::string& text, const LabelSet& classes) {
  const std::string lower = to_lower(text);
  if (lower == kUntargeted) return {{}, {}, kUntargeted};
  const size_t place = place_of_separator(text, classes);
  if (place == std::string::npos) {
    throw UserError(fmt::format("{}: must be SOURCE-to-TARGET, any-to-TARGET or untargeted{}; emotions: {}", text,
                                did_you_mean(lower, {kUntargeted, "happy-to-sad"}), join(classes.names(), ", ")));
  }
  EmotionGoal goal;
  goal.source = parse_side(text.substr(0, place), text, classes);
  goal.target = parse_side(text.substr(place + std::string(kSeparator).size()), text, classes);
  if (goal.source && goal.target && *goal.source == *goal.target) {
    throw UserError(fmt::format("{}: source and target are the same emotion, {}", text, classes.name(*goal.source)));
  }
  const auto word = [&](std::optional<int64_t> side) {
    return side ? to_lower(classes.name(*side)) : std::string(kAny);
  };
  goal.name = goal.source || goal.target ? word(goal.source) + kSeparator + word(goal.target) : kUntargeted;
  return goal;
}

}  // namespace fercli
