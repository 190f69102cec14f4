#include "data/drawn/displays.hpp"
#include "data/drawn/face.hpp"

namespace fercli {

namespace {

FaceExpression resting_expression() {
  return drawn::displays_of(drawn::emotion_named("Neutral")).front();
}

/// Normal with this mean, kept within two deviations.
double around(Rng& rng, double mean, double deviation) {
  return mean + deviation * std::min(2.0, std::max(-2.0, rng.normal()));
}

HairStyle random_style(double femininity, double age, Rng& rng) {
  using Style = HairStyle;
  const double u = rng.uniform();
  if (femininity > 0.5) {
    static const std::array<Style, 5> styles = {Style::Long, Style::Bob, Style::Fringe, Style::Curly, Style::Bun};
    return styles[static_cast<size_t>(std::min(4.0, u * u * 3 + u * 2))];
  }
  if (u < 0.06 + 0.25 * age) return Style::Bald;
  return u < 0.5 ? Style::Cropped : u < 0.85 ? Style::Short : u < 0.93 ? Style::Fringe : Style::Curly;
}

/// Degrees by which people lower their head while they show this emotion.
double usual_pitch(const std::string& emotion) {
  static const std::map<std::string, double> degrees = {
      {"Sad", 11}, {"Fear", -5}, {"Disgust", -4}, {"Neutral", 3}, {"Happy", 2}};
  const auto found = degrees.find(emotion);
  return found == degrees.end() ? 0 : found->second;
}

FaceIdentity random_identity(Rng rng) {
  FaceIdentity id;
  const bool woman = rng.chance(0.5);
  id.femininity = woman ? rng.uniform(0.65, 1) : rng.uniform(0, 0.35);
  id.age = rng.uniform() * rng.uniform();
  id.head_width = around(rng, 1, 0.035);
  id.head_height = around(rng, 1, 0.03);
  id.jaw = woman ? rng.uniform(0.05, 0.5) : rng.uniform(0.35, 1);
  id.chin = around(rng, woman ? 0.97 : 1.02, 0.03);
  id.eye_size = around(rng, woman ? 1.08 : 0.98, 0.07);
  id.eye_distance = around(rng, 1, 0.03);
  id.eye_tilt = around(rng, 0.01, 0.03);
  id.eye_colour = rng.uniform();
  id.brow_thickness = around(rng, woman ? 0.85 : 1.05, 0.15);
  id.nose_width = around(rng, woman ? 0.92 : 1.05, 0.09);
  id.nose_length = around(rng, 1, 0.05);
  id.mouth_width = around(rng, 1, 0.05);
  id.lips = around(rng, woman ? 1.08 : 0.9, 0.14);
  const double darkest = rng.uniform(0.3, 1);
  id.skin_tone = rng.uniform(0, darkest);
  id.hair_colour = id.skin_tone > 0.5 ? rng.uniform(0, 0.25) : rng.uniform();
  if (id.skin_tone > 0.4) id.eye_colour *= 0.3;
  id.hair_volume = rng.uniform();
  id.hair = random_style(id.femininity, id.age, rng);
  if (!woman && rng.chance(0.3)) id.facial_hair = rng.uniform(0.2, 1);
  id.glasses = rng.chance(0.08) ? 1 : 0;
  return id;
}

/// The numbers of an expression, a little off: people are neither equal nor symmetric.
void vary(FaceExpression& e, Rng& rng) {
  for (int side = 0; side < 2; ++side) {
    e.brow[side].height = around(rng, e.brow[side].height, 0.02);
    e.brow[side].angle = around(rng, e.brow[side].angle, 0.025);
    e.eye[side].openness = std::max(0.0, around(rng, e.eye[side].openness, 0.03));
  }
  e.gaze_x = around(rng, e.gaze_x, 0.18);
  e.gaze_y = around(rng, e.gaze_y, 0.1);
  auto& m = e.mouth;
  m.width = around(rng, m.width, 0.04);
  m.opening *= around(rng, 1, 0.12);
  m.corner_lift = around(rng, m.corner_lift, 0.05);
  m.skew = around(rng, m.skew, 0.05);
  m.teeth *= rng.uniform(0.85, 1.1);
  e.frown *= rng.uniform(0.8, 1.2);
}

}  // namespace

FaceParameters with_expression(FaceParameters face, const std::string& emotion, double intensity) {
  FaceParameters neutral = face, full = face;
  neutral.expression = resting_expression();
  full.expression = drawn::displays_of(drawn::emotion_named(emotion)).front();
  return blend(neutral, full, intensity);
}

FaceParameters random_face(const std::string& emotion, Rng rng) {
  const Emotion& shown = drawn::emotion_named(emotion);
  FaceParameters face;
  face.texture = rng.split("texture").next64();
  face.identity = random_identity(rng.split("identity"));
  Rng mood = rng.split("expression");
  const auto& displays = drawn::displays_of(shown);
  FaceParameters full = face;
  full.expression = displays[static_cast<size_t>(mood.below(static_cast<int64_t>(displays.size())))];
  FaceParameters neutral = face;
  neutral.expression = resting_expression();
  face = blend(neutral, full, mood.uniform(0.85, 1.12));
  vary(face.expression, mood);

  Rng scene = rng.split("scene");
  face.pose = {around(scene, 0, 6),    around(scene, usual_pitch(shown.name), 3),
               around(scene, 0, 4),    around(scene, 1, 0.035),
               around(scene, 0, 0.06), around(scene, 0, 0.06)};
  face.light = {around(scene, 0, 30), around(scene, 29, 9), scene.uniform(0.55, 0.75), scene.uniform(0.36, 0.48)};
  face.camera.background = scene.uniform(0.08, 0.95);
  face.camera.background_tint = scene.uniform();
  face.camera.exposure = around(scene, 1, 0.06);
  face.camera.contrast = around(scene, 1, 0.05);
  face.camera.blur = scene.uniform(0.2, 0.45);
  face.camera.noise = scene.uniform(0.004, 0.012);
  return face;
}

}  // namespace fercli
