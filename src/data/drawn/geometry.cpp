#include "data/drawn/geometry.hpp"

namespace fercli::drawn {

namespace {

/// 0 at s = ±1, 1 in the middle: a lens (shape 0), an ellipse (1), a box (2).
double gap_profile(double s, double shape) {
  const double power = 2 + 2 * std::max(0.0, shape - 1);
  const double rest = 1 - std::pow(std::abs(s), power);
  return std::pow(std::max(0.0, rest), 1 - 0.5 * std::min(1.0, shape));
}

/// Across the bridge of the nose; flatter at its foot than `ridge`, which would show as an edge on the cheek.
float nose_section(float d, float r) {
  const float t = 1 - square(d / r);
  return t <= 0 ? 0 : t * t * t;
}

}  // namespace

FaceGeometry::FaceGeometry(const FaceParameters& parameters) : face(parameters) {
  const auto& id = face.identity;
  const auto& ex = face.expression;
  head_width = static_cast<float>(kHeadWidth * id.head_width);
  head_top = static_cast<float>(3.4 * id.head_height);
  head_bottom = static_cast<float>(3.62 * id.chin - kMiddle + 0.5 * ex.jaw_drop);
  eye_x = static_cast<float>(id.eye_distance);
  nose_tip_y = static_cast<float>(1.25 * id.nose_length - 0.08 * ex.nose_wrinkle);
  nose_width = static_cast<float>(0.52 * id.nose_width * (1 + 0.12 * ex.nose_wrinkle) *
                                  (1 + 0.1 * std::max(0.0, ex.mouth.corner_lift)));
  jaw_ = static_cast<float>(-0.2 + 0.55 * id.jaw);
  sin_yaw_ = static_cast<float>(std::sin(face.pose.yaw * kDegree));
  cos_yaw_ = static_cast<float>(std::cos(face.pose.yaw * kDegree));
  sin_pitch_ = static_cast<float>(std::sin(face.pose.pitch * kDegree));
  cos_pitch_ = static_cast<float>(std::cos(face.pose.pitch * kDegree));
  for (int side = 0; side < 2; ++side) {
    shape_eye(side);
    shape_brow(side);
  }
  shape_mouth();
  shape_folds();
}

void FaceGeometry::shape_eye(int side) {
  const auto& ex = face.expression;
  const auto& shape = ex.eye[side];
  const auto& id = face.identity;
  EyeGeometry& e = eye[side];
  const double size = id.eye_size;
  e.half_width = static_cast<float>(0.5 * size);
  e.tilt = static_cast<float>(-0.05 - id.eye_tilt);
  const double squeeze = std::min(1.0, 0.35 * ex.nose_wrinkle + 0.25 * ex.cheek_raise);
  const double up = 0.215 * size * std::max(-0.25, shape.openness * (1 - 0.35 * squeeze));
  const double down = 0.135 * size * std::min(1.6, 0.35 + 0.65 * shape.openness);
  const double raise = 0.14 * size * std::min(1.2, shape.lower_lid + 0.6 * squeeze);
  const double slant = shape.upper_lid;
  const auto lower = [=](double s) {
    return (down - raise * std::min(1.0, 0.4 + 0.6 * shape.openness)) * gap_profile(s * 0.98, 0.5);
  };
  const auto upper = [=](double s) {
    const double arch = gap_profile(s, 0.35) * (1 - 0.55 * slant * s) * (1 - 0.12 * s);
    return std::min(-up * arch, lower(s));
  };
  e.lower = Curve(lower);
  e.upper = Curve(upper);
  e.crease = static_cast<float>(0.11 + 0.05 * std::max(0.0, 1.2 - shape.openness) - 0.03 * id.age);
  e.iris_radius = static_cast<float>(0.205 * std::sqrt(size));
  const double outward = side == 1 ? 1 : -1;
  e.iris_x = static_cast<float>(0.2 * size * ex.gaze_x * outward);
  e.iris_y = static_cast<float>(-0.045 + 0.12 * ex.gaze_y);
}

void FaceGeometry::shape_brow(int side) {
  const auto& shape = face.expression.brow[side];
  const auto& id = face.identity;
  BrowGeometry& b = brow[side];
  const double frown = face.expression.frown;
  b.inner = static_cast<float>(eye_x - 0.62 - 0.12 * std::min(1.0, frown));
  b.outer = static_cast<float>(eye_x + 0.7);
  const double rest = -0.62 - 0.06 * id.femininity - shape.height;
  const double arch = 0.11 + 0.07 * id.femininity + shape.curvature;
  const double angle = shape.angle;
  b.centre = Curve([=](double s) {
    const double t = (s + 1) / 2;  // 0 inner, 1 outer
    const double peak = t < 0.62 ? t / 0.62 : 1 - 0.9 * (t - 0.62) / 0.38;
    const double smooth = peak * peak * (3 - 2 * peak);
    const double inner_end = (1 - t) * (1 - t);
    return rest - arch * smooth - angle * (inner_end - 0.25 * t) + 0.1 * t * t;
  });
  const double thick = (0.135 - 0.045 * id.femininity) * id.brow_thickness;
  b.thickness = Curve([=](double s) {
    const double t = (s + 1) / 2;
    return thick * (0.75 + 0.6 * t * (1 - t) * 2) * (1 - 0.72 * t * t) * std::min(1.0, 0.25 + t / 0.13 * 0.75);
  });
}

void FaceGeometry::shape_mouth() {
  const auto& m = face.expression.mouth;
  const auto& id = face.identity;
  const double drop = face.expression.jaw_drop;
  const double lift = m.corner_lift, width = 0.83 * m.width * id.mouth_width;
  mouth.half_width = static_cast<float>(width);
  const double base = 2.27 * (0.6 + 0.4 * id.chin) - 0.05 * std::max(0.0, lift) + 0.06 * drop - 0.06 * m.upper_lip;
  mouth.centre_y = static_cast<float>(base);
  mouth.gap = static_cast<float>(m.opening);
  const auto line = [=](double s) {
    const double corner = lift + m.skew * 0.5 * s;
    const double frown_arch = lift < 0 ? 0.1 * lift * (1 - s * s) : 0;
    return base - 0.4 * corner * s * s * (0.7 + 0.3 * s * s) + frown_arch + 0.08 * std::max(0.0, lift);
  };
  for (int side = 0; side < 2; ++side) mouth.corner_y[side] = static_cast<float>(line(side == 0 ? -1 : 1));
  const double share = 0.3 - 0.14 * std::min(1.0, std::max(0.0, lift) / 0.4);  // of the gap that opens upwards
  const double thin = (1 - 0.7 * m.press) * std::pow(m.width, -0.7) * id.lips;
  const double pout = std::max(0.0, -m.lower_lip), pull = std::max(0.0, m.lower_lip);
  const auto up_in = [=](double s) {
    return line(s) - share * m.opening * gap_profile(s, m.curvature) - 0.16 * m.upper_lip * gap_profile(s, 0.6) -
           0.08 * pout * gap_profile(s, 0);
  };
  const auto low_in = [=](double s) {
    return line(s) + (1 - share) * m.opening * gap_profile(s, m.curvature) + 0.1 * pull * gap_profile(s, 1) -
           0.08 * pout * gap_profile(s, 0);
  };
  mouth.upper_in = Curve(up_in);
  mouth.lower_in = Curve([=](double s) { return std::max(up_in(s), low_in(s)); });
  mouth.upper_out = Curve([=](double s) {
    const double bow = 1 - 0.2 * std::exp(-s * s / 0.02) - 0.25 * s * s;
    return up_in(s) - 0.2 * thin * (1 - 0.45 * m.upper_lip) * bow * gap_profile(s, 0.7);
  });
  mouth.lower_out = Curve([=](double s) {
    return std::max(up_in(s), low_in(s)) + 0.29 * thin * (1 + 0.35 * pout) * (1 - 0.3 * pull) * gap_profile(s, 0.75);
  });
}

void FaceGeometry::shape_folds() {
  const auto& ex = face.expression;
  const auto& id = face.identity;
  smile = static_cast<float>(std::min(1.3, 0.3 * id.age + 0.75 * std::max(0.0, ex.mouth.corner_lift) +
                                               0.6 * ex.nose_wrinkle + 0.45 * ex.mouth.upper_lip + ex.fold + 0.08));
  fold_top = nose_tip_y - 0.05f;
  const float low = 0.5f * (mouth.corner_y[0] + mouth.corner_y[1]);
  fold_bottom = low + 0.15f;
  const double start = nose_width + 0.02;
  const double end = mouth.half_width + 0.2 + 0.1 * ex.cheek_raise;
  for (auto& curve : fold_x) {
    curve = Curve([=](double s) {
      const double t = (s + 1) / 2;
      return start + (end - start) * std::pow(t, 0.8) + 0.14 * 4 * t * (1 - t) * (0.4 + 0.6 * ex.cheek_raise);
    });
  }
}

float FaceGeometry::skull(float x, float y, float wide, float high) {
  const float nx = square(x / wide), ny = square((y - kMiddle) / high);
  return std::sqrt(nx * nx + ny * ny + nx * ny);  // broader than an ellipse
}

float FaceGeometry::outline(float x, float y) const {
  if (y < kMiddle) return skull(x, y, head_width, head_top);
  const float nx = square(x / head_width);
  const float ny = square((y - kMiddle) / head_bottom);
  return nx + mix(ny, ny * ny, jaw_);
}

Place FaceGeometry::locate(float px, float py) const {
  float x = px, y = py, r2 = outline(x, y);
  if (r2 > 2) return {x, y, r2};
  for (int i = 0; i < 2; ++i) {
    const float depth = 1.5f * std::max(0.f, 1 - r2) + 0.75f * bump(x, y, 0, nose_tip_y - 0.15f, 0.75f, 1.1f);
    const float rim = std::min(1.f, r2);
    x = (px - sin_yaw_ * depth) / mix(cos_yaw_, 1, rim);
    y = (py - sin_pitch_ * depth) / mix(cos_pitch_, 1, rim);
    r2 = outline(x, y);
  }
  return {x, y, r2};
}

float FaceGeometry::nose_height(float ax, float y) const {
  if (ax > 1.1f || y < -0.75f || y > nose_tip_y + 0.5f) return 0;
  const float t = clamp01((y + 0.55f) / (nose_tip_y + 0.91f));
  const float width = mix(0.34f, 0.5f, t) * (0.6f + 0.4f * nose_width / 0.52f);
  const float end = 1 - smoothstep(nose_tip_y - 0.02f, nose_tip_y + 0.36f, y);
  float h = (0.1f + 0.72f * t * t) * nose_section(ax, width * 1.8f) * end * smoothstep(-0.75f, -0.2f, y);
  h += 0.24f * bump(ax, y, 0, nose_tip_y - 0.03f, 0.36f, 0.34f);
  h += 0.24f * bump(ax, y, nose_width * 0.74f, nose_tip_y + 0.1f, nose_width * 0.52f, 0.27f);
  return h;
}

float FaceGeometry::eye_region_height(float ax, float y, int side) const {
  if (y < -1.9f || y > 1.05f) return 0;
  const auto& ex = face.expression;
  const auto& id = face.identity;
  const float dx = ax - eye_x;
  float h = -0.26f * bump(dx, y, -0.05f, 0, 0.95f, 0.68f) - 0.16f * bump(dx, y, -0.5f, -0.08f, 0.42f, 0.5f);
  h += 0.17f * bump(dx, y, 0, 0.02f, 0.62f, 0.46f);
  const float raised = static_cast<float>(ex.brow[side].height);
  const float ridge_height = static_cast<float>(0.15 - 0.08 * id.femininity + 0.1 * ex.frown);
  h += ridge_height * bump(dx, y, 0, -0.62f - 0.7f * raised, 1.05f, 0.42f);
  h += static_cast<float>(0.03 + 0.06 * id.age + 0.08 * ex.cheek_raise) * bump(dx, y, 0, 0.42f, 0.62f, 0.2f);
  return h;
}

float FaceGeometry::mouth_height(float x, float y) const {
  const float ax = std::abs(x);
  if (y < 0.85f || ax > 1.6f) return 0;
  float h = 0.2f * bump(ax, y, 0, mouth.centre_y - 0.1f, 1.3f, 1.1f);
  const float chin = kMiddle + head_bottom;
  h += 0.2f * bump(ax, y, 0, chin - 0.42f, 0.75f, 0.5f);
  h -= 0.12f * bump(ax, y, 0, mouth.lower_out.at(0) + 0.2f, 0.6f, 0.22f);
  h -= 0.025f * bump(ax, y, 0, nose_tip_y + 0.6f, 0.16f, 0.4f);
  const float s = x / mouth.half_width;
  if (s <= -1 || s >= 1) return h;
  const float uo = mouth.upper_out.at(s), ui = mouth.upper_in.at(s), li = mouth.lower_in.at(s),
              lo = mouth.lower_out.at(s);
  if (y > uo && y < ui) h += 0.09f * (y - uo) / (ui - uo + 0.02f) * ridge(s, 1);
  if (y > li && y < lo) h += 0.14f * ridge((y - mix(li, lo, 0.45f)) / (lo - li + 0.02f), 0.62f) * ridge(s, 1);
  return h;
}

float FaceGeometry::height(const Place& p) const {
  const float ax = std::abs(p.x);
  const int side = p.x < 0 ? 0 : 1;
  const auto& ex = face.expression;
  const float dome = 1.75f * std::sqrt(std::max(0.f, 1 - p.r2 * (0.55f + 0.45f * p.r2)));
  if (p.r2 >= 1) return dome;
  float h = nose_height(ax, p.y) + eye_region_height(ax, p.y, side) + mouth_height(p.x, p.y);
  const float raise = static_cast<float>(ex.cheek_raise);
  h += (0.14f + 0.2f * raise) * bump(ax, p.y, 1.22f, 1.0f - 0.1f * raise, 0.85f, 0.78f);
  h -= 0.16f * bump(ax, p.y, 1.75f, 1.9f, 0.7f, 0.9f) + 0.14f * bump(ax, p.y, 2.0f, -0.8f, 0.7f, 0.9f);
  if (p.y > fold_top && p.y < fold_bottom) {
    const float s = 2 * (p.y - fold_top) / (fold_bottom - fold_top) - 1;
    const float d = ax - fold_x[side].at(s);
    if (d > -0.1f && d < 0.65f) {
      h += 0.15f * smile * ridge(s, 1) * smoothstep(-0.1f, 0.16f, d) * (1 - smoothstep(0.16f, 0.65f, d));
    }
  }
  const float wrinkle = static_cast<float>(ex.nose_wrinkle);
  if (wrinkle > 0 && ax < 0.6f && p.y > -0.5f && p.y < 0.6f) {
    h += 0.035f * wrinkle * std::sin(17 * (p.y - 0.5f * ax)) * bump(ax, p.y, 0.1f, 0.05f, 0.45f, 0.5f);
  }
  const float frown = static_cast<float>(ex.frown);
  if (frown > 0) {
    h += 0.1f * frown * bump(ax, p.y, 0, -0.55f, 0.34f, 0.42f) -
         0.09f * frown * bump(ax, p.y, 0.17f, -0.68f, 0.08f, 0.42f);
  }
  const float lines = static_cast<float>(ex.forehead + 0.35 * face.identity.age);
  if (lines > 0 && p.y < -1.05f && p.y > -2.2f) {
    h += 0.022f * lines * std::sin(19 * (p.y + 0.05f * ax * ax)) * bump(ax, p.y, 0, -1.6f, 1.5f, 0.6f);
  }
  return dome + h * (1 - smoothstep(0.8f, 1, p.r2));
}

}  // namespace fercli::drawn
