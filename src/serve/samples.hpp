#pragma once

#include <string>

#include "models/classifier.hpp"

namespace fercli {

/// The faces to try that come with the program, as JSON: of each class the two that the network is surest of,
/// {"samples": [{"name", "label", "confidence", "image": PNG in base64}]}. Without the shipped faces, drawn
/// ones. Takes a fraction of a second.
std::string sample_faces_json(const Classifier& classifier);

}  // namespace fercli
