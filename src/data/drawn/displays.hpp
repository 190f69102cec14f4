#pragma once

#include <string>
#include <vector>

#include "data/drawn/face.hpp"
#include "data/label_set.hpp"

namespace fercli::drawn {

/// Throws UserError that lists the emotions and suggests the nearest.
const Emotion& emotion_named(const std::string& word);

/// The ways in which people show this emotion at full strength, the plainest first.
const std::vector<FaceExpression>& displays_of(const Emotion& emotion);

}  // namespace fercli::drawn
