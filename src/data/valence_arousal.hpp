#pragma once

#include <optional>
#include <vector>

#include "data/label_set.hpp"

namespace fercli {

/// How pleasant (valence) and how activated (arousal) a feeling is, each from -1 to 1.
struct ValenceArousal {
  double valence = 0, arousal = 0;
};

/// What people say of an emotion's word: pleasure and arousal of "angry", "disgusted", "fearful", "happy", "sad",
/// "surprised" and "contempt" in the table of 151 terms of Russell and Mehrabian, "Evidence for a three-factor theory
/// of emotions", Journal of Research in Personality 11 (1977), 273-294. Neutral is not among the terms and is put in
/// the middle of both scales, at 0. None for a class of any other name.
std::optional<ValenceArousal> valence_arousal_of(std::string_view emotion);

/// Derived, not measured: the mean of the table's values, weighted by the probabilities. It can tell no more than the
/// probabilities do; two networks that agree on them agree on it. None where the table lacks one of the classes.
std::optional<ValenceArousal> derived_valence_arousal(const std::vector<double>& probabilities,
                                                      const LabelSet& classes);

}  // namespace fercli
