#include "core/error.hpp"
#include "core/text.hpp"
#include "data/drawn_face.hpp"
#include "data/label_set.hpp"

namespace fercli {

namespace {

/// One way of showing an emotion. The first of each emotion is the plainest.
struct Display {
  const char* emotion;
  FaceExpression expression;
};

FaceExpression both_sides(BrowShape brow, EyeShape eye) {
  FaceExpression e;
  e.brow = {brow, brow};
  e.eye = {eye, eye};
  return e;
}

/// Muscle movements after the Facial Action Coding System (Ekman and Friesen, 1978); the numbers are our own.
std::vector<Display> list_displays() {
  std::vector<Display> displays;
  const auto add = [&](const char* emotion, FaceExpression expression) { displays.push_back({emotion, expression}); };

  FaceExpression e = both_sides({-0.08, -0.02, -0.03}, {0.85, 0, 0.05});
  e.mouth.corner_lift = -0.14;
  add("Neutral", e);
  e.mouth.press = 0.25;
  add("Neutral", e);

  // Cheeks up, corners out and up; lower lids follow.
  e = both_sides({0.01, 0, 0.04}, {1.1, 0, 0.4});
  e.cheek_raise = 0.85;
  e.mouth.width = 1.4;
  e.mouth.corner_lift = 0.95;
  e.mouth.opening = 0.54;
  e.mouth.teeth = 0.9;
  e.mouth.curvature = 0.55;
  add("Happy", e);
  e.jaw_drop = 0.45;
  e.mouth.opening = 0.82;
  e.mouth.teeth = 0.55;
  e.mouth.corner_lift = 1;
  e.cheek_raise = 1;
  add("Happy", e);
  e = both_sides({0, 0, 0.02}, {1.05, 0, 0.35});
  e.cheek_raise = 0.7;
  e.mouth.width = 1.38;
  e.mouth.corner_lift = 0.95;
  e.mouth.opening = 0.34;
  e.mouth.teeth = 1;
  e.mouth.curvature = 0.4;
  add("Happy", e);

  // Inner brows up and together, lids heavy, corners down.
  e = both_sides({0.03, 0.34, -0.15}, {0.55, 0.4, 0.1});
  e.frown = 0.35;
  e.gaze_y = 0.35;
  e.fold = 0.25;
  e.mouth.width = 1.08;
  e.mouth.corner_lift = -0.65;
  e.mouth.lower_lip = -0.5;
  add("Sad", e);
  e.mouth.opening = 0.12;
  e.mouth.lower_lip = -0.2;
  e.eye[0].openness = e.eye[1].openness = 0.45;
  add("Sad", e);

  // Brows down and together, hard stare, lips pressed or teeth bared.
  e = both_sides({-0.26, -0.38, -0.1}, {1.05, -0.45, 0.3});
  e.frown = 1;
  e.fold = 0.3;
  e.mouth.width = 0.88;
  e.mouth.press = 0.75;
  e.mouth.corner_lift = -0.35;
  add("Angry", e);
  e.mouth.press = 0;
  e.nose_wrinkle = 0.5;
  e.mouth.width = 1.12;
  e.mouth.opening = 0.42;
  e.mouth.curvature = 1.6;
  e.mouth.teeth = 0.5;
  e.mouth.lower_teeth = 0.4;
  e.mouth.upper_lip = 0.3;
  e.mouth.lower_lip = 0.4;
  add("Angry", e);
  e.jaw_drop = 0.6;
  e.mouth.opening = 0.85;
  e.mouth.teeth = 0.3;
  e.mouth.lower_teeth = 0.22;
  add("Angry", e);

  // Nose wrinkled, upper lip up, lower lids up.
  e = both_sides({-0.26, -0.24, -0.14}, {0.65, -0.2, 0.7});
  e.frown = 0.7;
  e.nose_wrinkle = 1.1;
  e.cheek_raise = 0.75;
  e.fold = 0.35;
  e.mouth.corner_lift = -0.33;
  e.mouth.upper_lip = 0.75;
  e.mouth.lower_lip = 0.4;
  e.mouth.opening = 0.38;
  e.mouth.teeth = 0.6;
  e.mouth.curvature = 1;
  add("Disgust", e);
  e.mouth.skew = 0.5;
  e.mouth.opening = 0.5;
  e.mouth.lower_teeth = 0.3;
  add("Disgust", e);

  // Brows up and drawn together, whites above the iris, lips stretched back.
  e = both_sides({0.14, 0.34, -0.26}, {1.6, 0.15, 0.05});
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
  add("Fear", e);
  e.mouth.opening = 0.2;
  e.jaw_drop = 0.1;
  add("Fear", e);

  // Brows arched high, eyes wide, jaw dropped, mouth round.
  e = both_sides({0.42, 0.02, 0.14}, {1.6, 0, 0});
  e.forehead = 0.6;
  e.jaw_drop = 0.8;
  e.mouth.width = 0.72;
  e.mouth.opening = 0.95;
  e.mouth.curvature = 1;
  add("Surprise", e);
  e.mouth.width = 0.85;
  e.mouth.opening = 1.1;
  e.mouth.teeth = 0.18;
  add("Surprise", e);
  return displays;
}

const Emotion& emotion_named(const std::string& word) {
  if (const Emotion* emotion = find_emotion(word)) return *emotion;
  std::vector<std::string> names;
  for (const auto& emotion : emotions()) names.push_back(emotion.name);
  throw UserError(fmt::format("drawn face: unknown emotion '{}'{} (known: {})", word, did_you_mean(word, names),
                              join(names, ", ")));
}

std::vector<FaceExpression> displays_of(const std::string& emotion) {
  static const std::vector<Display> displays = list_displays();
  std::vector<FaceExpression> found;
  for (const auto& display : displays) {
    if (emotion == display.emotion) found.push_back(display.expression);
  }
  return found;
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
  static const std::map<std::string, double> degrees = {{"Sad", 9}, {"Fear", -5}, {"Disgust", -4}, {"Neutral", 2}, {"Happy", 2}};
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
  id.skin_tone = rng.uniform() * rng.uniform(0.3, 1);
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
  neutral.expression = displays_of("Neutral").front();
  full.expression = displays_of(emotion_named(emotion).name).front();
  return blend(neutral, full, intensity);
}

FaceParameters random_face(const std::string& emotion, Rng rng) {
  const std::string& name = emotion_named(emotion).name;
  FaceParameters face;
  face.texture = rng.split("texture").next64();
  face.identity = random_identity(rng.split("identity"));
  Rng mood = rng.split("expression");
  const auto displays = displays_of(name);
  FaceParameters full = face;
  full.expression = displays[static_cast<size_t>(mood.below(static_cast<int64_t>(displays.size())))];
  FaceParameters neutral = face;
  neutral.expression = displays_of("Neutral").front();
  face = blend(neutral, full, mood.uniform(0.85, 1.12));
  vary(face.expression, mood);

  Rng scene = rng.split("scene");
  face.pose = {around(scene, 0, 6), around(scene, usual_pitch(name), 3), around(scene, 0, 4),
               around(scene, 1, 0.035), around(scene, 0, 0.06), around(scene, 0, 0.06)};
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
