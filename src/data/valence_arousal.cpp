#include "data/valence_arousal.hpp"

#include "core/text.hpp"

namespace fercli {

std::optional<ValenceArousal> valence_arousal_of(std::string_view emotion) {
  static const std::vector<std::pair<std::string, ValenceArousal>> table{
      {"Angry", {-0.51, 0.59}}, {"Disgust", {-0.60, 0.35}}, {"Fear", {-0.64, 0.60}}, {"Happy", {0.81, 0.51}},
      {"Sad", {-0.63, -0.27}},  {"Surprise", {0.40, 0.67}}, {"Neutral", {0, 0}}};
  constexpr ValenceArousal kContempt{-0.23, 0.31};
  if (to_lower(emotion) == "contempt") return kContempt;
  const Emotion* known = find_emotion(emotion);
  for (const auto& [name, place] : table) {
    if (known != nullptr && known->name == name) return place;
  }
  return {};
}

std::optional<ValenceArousal> derived_valence_arousal(const std::vector<double>& probabilities,
                                                      const LabelSet& classes) {
  ValenceArousal mean;
  for (size_t k = 0; k < probabilities.size(); ++k) {
    const auto place = valence_arousal_of(classes.name(static_cast<int64_t>(k)));
    if (!place) return {};
    mean.valence += probabilities[k] * place->valence;
    mean.arousal += probabilities[k] * place->arousal;
  }
  return mean;
}

}  // namespace fercli
