// The emotions as muscle movements, after the Facial Action Coding System (Ekman and Friesen, 1978); the numbers
// are our own. Each emotion has several displays, the plainest first.
#include "data/drawn/displays.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli::drawn {

namespace {

FaceExpression both_sides(BrowShape brow, EyeShape eye) {
  FaceExpression e;
  e.brow = {brow, brow};
  e.eye = {eye, eye};
  return e;
}

/// Brows down and together, hard stare, lips pressed or teeth bared.
std::vector<FaceExpression> angry() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({-0.26, -0.38, -0.1}, {1.05, -0.45, 0.3});
  e.frown = 1;
  e.fold = 0.3;
  e.mouth.width = 0.88;
  e.mouth.press = 0.75;
  e.mouth.corner_lift = -0.35;
  shown.push_back(e);

  e.mouth.press = 0;
  e.nose_wrinkle = 0.5;
  e.mouth.width = 1.12;
  e.mouth.opening = 0.42;
  e.mouth.curvature = 1.6;
  e.mouth.teeth = 0.5;
  e.mouth.lower_teeth = 0.4;
  e.mouth.upper_lip = 0.3;
  e.mouth.lower_lip = 0.4;
  shown.push_back(e);

  e.jaw_drop = 0.6;
  e.mouth.opening = 0.85;
  e.mouth.teeth = 0.3;
  e.mouth.lower_teeth = 0.22;
  shown.push_back(e);
  return shown;
}

/// Nose wrinkled, upper lip up, lower lids up.
std::vector<FaceExpression> disgust() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({-0.21, -0.28, -0.14}, {0.65, -0.2, 0.7});
  e.frown = 0.7;
  e.nose_wrinkle = 1.1;
  e.cheek_raise = 0.82;
  e.fold = 0.35;
  e.mouth.corner_lift = -0.33;
  e.mouth.upper_lip = 0.75;
  e.mouth.lower_lip = 0.4;
  e.mouth.opening = 0.42;
  e.mouth.teeth = 0.72;
  e.mouth.curvature = 1;
  shown.push_back(e);

  e.mouth.skew = 0.5;
  e.mouth.opening = 0.5;
  e.mouth.lower_teeth = 0.3;
  shown.push_back(e);
  return shown;
}

/// Brows up and drawn together, whites above the iris, lips stretched back.
std::vector<FaceExpression> fear() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({0.14, 0.34, -0.26}, {1.6, 0.15, 0.05});
  e.frown = 0.65;
  e.forehead = 0.8;
  e.jaw_drop = 0.3;
  e.mouth.width = 1.05;
  e.mouth.opening = 0.42;
  e.mouth.curvature = 1.2;
  e.mouth.corner_lift = -0.55;
  e.mouth.teeth = 0.35;
  e.mouth.lower_teeth = 0.45;
  e.mouth.lower_lip = 0.3;
  shown.push_back(e);

  e.mouth.opening = 0.2;
  e.jaw_drop = 0.1;
  shown.push_back(e);
  return shown;
}

/// Cheeks up, corners out and up; lower lids follow.
std::vector<FaceExpression> happy() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({0.01, 0, 0.04}, {1.1, 0, 0.4});
  e.cheek_raise = 0.85;
  e.mouth.width = 1.4;
  e.mouth.corner_lift = 0.95;
  e.mouth.opening = 0.54;
  e.mouth.teeth = 0.9;
  e.mouth.curvature = 0.55;
  shown.push_back(e);

  e.jaw_drop = 0.45;
  e.mouth.opening = 0.82;
  e.mouth.teeth = 0.55;
  e.mouth.corner_lift = 1;
  e.cheek_raise = 1;
  shown.push_back(e);

  e = both_sides({0, 0, 0.02}, {1.05, 0, 0.35});
  e.cheek_raise = 0.7;
  e.mouth.width = 1.38;
  e.mouth.corner_lift = 0.95;
  e.mouth.opening = 0.34;
  e.mouth.teeth = 1;
  e.mouth.curvature = 0.4;
  shown.push_back(e);
  return shown;
}

/// Inner brows up and together, lids heavy, corners down.
std::vector<FaceExpression> sad() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({0.03, 0.34, -0.15}, {0.48, 0.36, 0.1});
  e.frown = 0.35;
  e.gaze_y = 0.35;
  e.fold = 0.25;
  e.mouth.width = 1.08;
  e.mouth.corner_lift = -0.57;
  e.mouth.lower_lip = -0.5;
  shown.push_back(e);

  e.mouth.opening = 0.2;
  e.mouth.lower_lip = -0.2;
  e.eye[0].openness = e.eye[1].openness = 0.4;
  shown.push_back(e);
  return shown;
}

/// Brows arched high, eyes wide, jaw dropped, mouth round.
std::vector<FaceExpression> surprise() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({0.42, 0.02, 0.14}, {1.6, 0, 0});
  e.forehead = 0.6;
  e.jaw_drop = 0.8;
  e.mouth.width = 0.72;
  e.mouth.opening = 0.95;
  e.mouth.curvature = 1;
  shown.push_back(e);

  e.mouth.width = 0.85;
  e.mouth.opening = 1.1;
  e.mouth.teeth = 0.18;
  shown.push_back(e);
  return shown;
}

/// Everything at rest; some people press their lips.
std::vector<FaceExpression> neutral() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({-0.08, -0.03, -0.03}, {0.8, 0, 0.03});
  e.mouth.corner_lift = -0.18;
  shown.push_back(e);

  e.mouth.press = 0.25;
  shown.push_back(e);
  return shown;
}

/// One corner of the lips tightened and up, the other at rest; the chin up, the brow over the other eye raised a
/// little.
std::vector<FaceExpression> contempt() {
  std::vector<FaceExpression> shown;
  FaceExpression e = both_sides({-0.02, 0, 0}, {0.72, 0, 0.12});
  e.mouth.skew = 0.85;
  e.mouth.corner_lift = 0.28;
  e.mouth.press = 0.45;
  e.mouth.width = 1.06;
  e.fold = 0.3;
  e.gaze_x = -0.25;
  e.brow[0].height = 0.16;
  e.brow[0].curvature = 0.1;
  shown.push_back(e);

  e.mouth.skew = -0.85;
  e.gaze_x = 0.25;
  std::swap(e.brow[0], e.brow[1]);
  shown.push_back(e);
  return shown;
}

}  // namespace

const Emotion& emotion_named(const std::string& word) {
  if (const Emotion* emotion = find_emotion(word)) return *emotion;
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) names.push_back(emotion.name);
  throw UserError(fmt::format("drawn face: unknown emotion '{}'{} (known: {})", word, did_you_mean(word, names),
                              join(names, ", ")));
}

const std::vector<FaceExpression>& displays_of(const Emotion& emotion) {
  static const std::map<std::string, std::vector<FaceExpression>> displays = {
      {"Angry", angry()}, {"Disgust", disgust()},   {"Fear", fear()},       {"Happy", happy()},
      {"Sad", sad()},     {"Surprise", surprise()}, {"Neutral", neutral()}, {"Contempt", contempt()}};
  return displays.at(emotion.name);
}

}  // namespace fercli::drawn
