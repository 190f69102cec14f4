#include "data/drawn/face.hpp"

namespace fercli {

namespace {

template <size_t Side>
void add_side(std::vector<FaceField>& fields, const std::string& side) {
  fields.push_back(
      {"brow.height." + side, -0.5, 0.6, [](FaceParameters& f) -> double& { return f.expression.brow[Side].height; }});
  fields.push_back(
      {"brow.angle." + side, -0.6, 0.6, [](FaceParameters& f) -> double& { return f.expression.brow[Side].angle; }});
  fields.push_back({"brow.curvature." + side, -0.3, 0.4,
                    [](FaceParameters& f) -> double& { return f.expression.brow[Side].curvature; }});
  fields.push_back(
      {"eye.openness." + side, 0, 2, [](FaceParameters& f) -> double& { return f.expression.eye[Side].openness; }});
  fields.push_back(
      {"eye.upper_lid." + side, -1, 1, [](FaceParameters& f) -> double& { return f.expression.eye[Side].upper_lid; }});
  fields.push_back(
      {"eye.lower_lid." + side, 0, 1, [](FaceParameters& f) -> double& { return f.expression.eye[Side].lower_lid; }});
}

#define FERCLI_FIELD(name, low, high, member)                              \
  {                                                                        \
    name, low, high, [](FaceParameters& f) -> double& { return f.member; } \
  }

std::vector<FaceField> list_fields() {
  std::vector<FaceField> fields{
      FERCLI_FIELD("gaze.x", -1, 1, expression.gaze_x),
      FERCLI_FIELD("gaze.y", -1, 1, expression.gaze_y),
      FERCLI_FIELD("frown", 0, 1.5, expression.frown),
      FERCLI_FIELD("forehead", 0, 1.5, expression.forehead),
      FERCLI_FIELD("nose_wrinkle", 0, 1.5, expression.nose_wrinkle),
      FERCLI_FIELD("cheek_raise", 0, 1.5, expression.cheek_raise),
      FERCLI_FIELD("jaw_drop", 0, 1, expression.jaw_drop),
      FERCLI_FIELD("fold", 0, 1.5, expression.fold),
      FERCLI_FIELD("mouth.width", 0.4, 1.6, expression.mouth.width),
      FERCLI_FIELD("mouth.opening", 0, 1.6, expression.mouth.opening),
      FERCLI_FIELD("mouth.corner_lift", -1.2, 1.2, expression.mouth.corner_lift),
      FERCLI_FIELD("mouth.upper_lip", 0, 1, expression.mouth.upper_lip),
      FERCLI_FIELD("mouth.lower_lip", -1, 1, expression.mouth.lower_lip),
      FERCLI_FIELD("mouth.teeth", 0, 1, expression.mouth.teeth),
      FERCLI_FIELD("mouth.lower_teeth", 0, 1, expression.mouth.lower_teeth),
      FERCLI_FIELD("mouth.curvature", 0, 2, expression.mouth.curvature),
      FERCLI_FIELD("mouth.press", 0, 1, expression.mouth.press),
      FERCLI_FIELD("mouth.skew", -1, 1, expression.mouth.skew),
      FERCLI_FIELD("head.width", 0.85, 1.15, identity.head_width),
      FERCLI_FIELD("head.height", 0.9, 1.15, identity.head_height),
      FERCLI_FIELD("jaw", 0, 1, identity.jaw),
      FERCLI_FIELD("chin", 0.85, 1.15, identity.chin),
      FERCLI_FIELD("eye.size", 0.75, 1.35, identity.eye_size),
      FERCLI_FIELD("eye.distance", 0.88, 1.12, identity.eye_distance),
      FERCLI_FIELD("eye.tilt", -0.15, 0.15, identity.eye_tilt),
      FERCLI_FIELD("eye.colour", 0, 1, identity.eye_colour),
      FERCLI_FIELD("brow.thickness", 0.4, 1.6, identity.brow_thickness),
      FERCLI_FIELD("nose.width", 0.75, 1.35, identity.nose_width),
      FERCLI_FIELD("nose.length", 0.85, 1.15, identity.nose_length),
      FERCLI_FIELD("mouth.size", 0.8, 1.2, identity.mouth_width),
      FERCLI_FIELD("lips", 0.5, 1.6, identity.lips),
      FERCLI_FIELD("skin_tone", 0, 1, identity.skin_tone),
      FERCLI_FIELD("age", 0, 1, identity.age),
      FERCLI_FIELD("femininity", 0, 1, identity.femininity),
      FERCLI_FIELD("facial_hair", 0, 1, identity.facial_hair),
      FERCLI_FIELD("hair.colour", 0, 1, identity.hair_colour),
      FERCLI_FIELD("hair.volume", 0, 1, identity.hair_volume),
      FERCLI_FIELD("glasses", 0, 1, identity.glasses),
      FERCLI_FIELD("pose.yaw", -30, 30, pose.yaw),
      FERCLI_FIELD("pose.pitch", -25, 25, pose.pitch),
      FERCLI_FIELD("pose.roll", -45, 45, pose.roll),
      FERCLI_FIELD("pose.zoom", 0.3, 3, pose.zoom),
      FERCLI_FIELD("pose.shift_x", -4, 4, pose.shift_x),
      FERCLI_FIELD("pose.shift_y", -4, 4, pose.shift_y),
      FERCLI_FIELD("light.azimuth", -90, 90, light.azimuth),
      FERCLI_FIELD("light.elevation", -60, 90, light.elevation),
      FERCLI_FIELD("light.strength", 0, 1.5, light.strength),
      FERCLI_FIELD("light.ambient", 0, 1.5, light.ambient),
      FERCLI_FIELD("camera.background", 0, 1, camera.background),
      FERCLI_FIELD("camera.background_tint", 0, 1, camera.background_tint),
      FERCLI_FIELD("camera.exposure", 0.2, 2.5, camera.exposure),
      FERCLI_FIELD("camera.contrast", 0.2, 2, camera.contrast),
      FERCLI_FIELD("camera.blur", 0, 4, camera.blur),
      FERCLI_FIELD("camera.noise", 0, 0.5, camera.noise),
  };
  add_side<0>(fields, "left");
  add_side<1>(fields, "right");
  return fields;
}

#undef FERCLI_FIELD

}  // namespace

const std::vector<FaceField>& face_fields() {
  static const std::vector<FaceField> fields = list_fields();
  return fields;
}

FaceParameters blend(const FaceParameters& a, const FaceParameters& b, double t) {
  FaceParameters from = a, to = b, out = t < 0.5 ? a : b;
  for (const auto& field : face_fields()) field.of(out) = field.of(from) * (1 - t) + field.of(to) * t;
  return out;
}

}  // namespace fercli
