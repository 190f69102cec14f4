#include "data/drawn/paint.hpp"

namespace fercli::drawn {

namespace {

constexpr Colour kTooth{0.95f, 0.93f, 0.88f};
constexpr Colour kCavity{0.13f, 0.05f, 0.05f};
constexpr Colour kTongue{0.62f, 0.30f, 0.30f};

}  // namespace

void FacePainter::shade_eye_region(Skin& skin, const Place& p) const {
  if (p.y < -1.3f || p.y > 1.1f) return;
  const float ax = std::abs(p.x), dx = ax - geometry_.eye_x;
  const int side = p.x < 0 ? 0 : 1;
  const auto& e = geometry_.eye[side];
  const auto age = static_cast<float>(face_.identity.age);
  skin.open -= 0.24f * bump(dx, p.y, -0.52f, -0.12f, 0.4f, 0.42f) + 0.2f * bump(dx, p.y, 0.05f, -0.28f, 0.75f, 0.3f);
  skin.open -= (0.04f + 0.12f * age) * bump(dx, p.y, -0.05f, 0.4f, 0.55f, 0.16f);
  const float s = dx / e.half_width;
  if (s > -1.15f && s < 1.25f) {
    const float y = p.y - e.tilt * s;
    const float upper = e.upper.at(s), lower = e.lower.at(s);
    const float thin = 0.035f + pixel_;
    skin.open -= 0.36f * ridge(y - upper + e.crease, thin + 0.03f) * ridge(s, 1.2f);
    const float under = static_cast<float>(face_.expression.eye[side].lower_lid) * 0.25f + 0.12f;
    skin.open -= under * ridge(y - lower - 0.16f, 0.09f) * ridge(s, 1.2f);
  }
  if (smile_raise_ > 0 && dx > 0.45f && fine_ > 0) {
    const float angle = (p.y - 0.02f) / (dx + 0.1f);
    skin.open -= 0.16f * fine_ * smile_raise_ * (0.3f + age) * (0.5f + 0.5f * std::sin(15 * angle)) *
                 bump(dx, p.y, 0.75f, 0.05f, 0.28f, 0.35f);
  }
}

void FacePainter::shade_brow(Skin& skin, const Place& p) const {
  if (p.y > 0.3f || p.y < -1.9f) return;
  const float ax = std::abs(p.x);
  const auto& b = geometry_.brow[p.x < 0 ? 0 : 1];
  const float s = 2 * (ax - b.inner) / (b.outer - b.inner) - 1;
  if (s < -1.1f || s > 1.1f) return;
  const float d = std::abs(p.y - b.centre.at(s)) - b.thickness.at(s);
  float hairs = 0.86f;
  if (fine_ > 0) {
    const float strand = value_noise(34 * (ax + 0.6f * p.y), 7 * p.y, grain_ + 9);
    hairs = mix(hairs, 0.66f + 0.4f * strand, fine_);
  }
  const float ends = (1 - smoothstep(0.92f, 1.06f, s)) * smoothstep(-1.08f, -0.9f, s);
  const float amount = clamp01(cover(d, 0.09f + pixel_) * hairs) * ends;
  skin.albedo = mix(skin.albedo, brow_, amount);
  skin.gloss *= 1 - amount;
}

void FacePainter::shade_lips(Skin& skin, const Place& p) const {
  const auto& m = geometry_.mouth;
  const float s = p.x / m.half_width;
  if (s < -1.02f || s > 1.02f || p.y < m.centre_y - 1.2f || p.y > m.centre_y + 2) return;
  const float soft = 0.045f + pixel_;
  const float above = std::max(m.upper_out.at(s) - p.y, p.y - m.upper_in.at(s));
  const float below = std::max(m.lower_in.at(s) - p.y, p.y - m.lower_out.at(s));
  const float on_lip = std::max(cover(above, soft), cover(below, soft)) * (1 - smoothstep(0.94f, 1.02f, std::abs(s)));
  const float creases = fine_ > 0 ? 0.1f * fine_ * (value_noise(30 * s, 2 * p.y, grain_ + 3) - 0.5f) : 0;
  const float tone = (above < below ? 0.86f : 1.02f) + creases;
  skin.albedo = mix(skin.albedo, lip_ * tone, 0.85f * on_lip);
  skin.gloss += 0.7f * cover(below, soft) * ridge(s, 0.8f);
}

void FacePainter::shade_beard(Skin& skin, const Place& p) const {
  const auto amount = static_cast<float>(face_.identity.facial_hair);
  if (amount <= 0 || p.y < 0.2f) return;
  const float ax = std::abs(p.x);
  const auto& m = geometry_.mouth;
  const float cheek_line = 2.0f - 1.3f * square(clamp01((ax - 0.95f) / 1.1f)) * 1.2f;
  const float jaw_hair = smoothstep(cheek_line - 0.1f, cheek_line + 0.35f, p.y);
  const float moustache =
      smoothstep(geometry_.nose_tip_y + 0.32f, geometry_.nose_tip_y + 0.5f, p.y) *
      (1 - smoothstep(m.half_width + 0.02f, m.half_width + 0.3f, ax)) *
      (1 - smoothstep(m.upper_out.at(p.x / m.half_width) - 0.08f, m.upper_out.at(p.x / m.half_width) + 0.04f, p.y));
  const float s = p.x / (m.half_width * 1.08f);
  const bool beside = s > -1 && s < 1;
  const float lips = beside ? smoothstep(m.upper_out.at(s) - 0.1f, m.upper_out.at(s), p.y) *
                                  (1 - smoothstep(m.lower_out.at(s) + 0.02f, m.lower_out.at(s) + 0.22f, p.y))
                            : 0;
  const float texture = mix(0.9f, 0.45f + 0.9f * value_noise(24 * p.x, 10 * p.y, grain_ + 11), fine_);
  const float hair = clamp01(std::max(jaw_hair * (1 - lips), moustache) * texture *
                             (amount < 0.5f ? 0.9f * amount : 0.45f + 0.5f * amount));
  skin.albedo = mix(skin.albedo, hair_ * 0.85f, hair);
  skin.gloss *= 1 - hair;
}

Colour FacePainter::eye(Colour under, const Place& p) const {
  if (p.y < -0.9f || p.y > 0.8f) return under;
  const float dx = std::abs(p.x) - geometry_.eye_x;
  const auto& e = geometry_.eye[p.x < 0 ? 0 : 1];
  const float s = dx / e.half_width;
  if (s < -1.12f || s > 1.2f) return under;
  const float y = p.y - e.tilt * s, upper = e.upper.at(s), lower = e.lower.at(s);
  const float soft = pixel_ + 0.015f;
  const float inside = cover(-std::min({y - upper, lower - y, (1 - std::abs(s)) * e.half_width}), soft);
  const float light = 0.92f * (ambient_ + 0.62f * key_);
  if (inside > 0) {
    const float shadow = 1 - 0.5f * (1 - smoothstep(0, 0.17f, y - upper)) - 0.22f * s * s;
    Colour ball = Colour{0.94f, 0.92f, 0.90f} * shadow;
    const float ix = dx - e.iris_x, iy = y - e.iris_y, from_centre = std::sqrt(ix * ix + iy * iy);
    const float streaks = 1 + 0.3f * fine_ * (value_noise(9 * std::atan2(iy, ix), 8 * from_centre, grain_ + 2) - 0.5f);
    const float ring = 1 - 0.6f * smoothstep(0.6f, 1, from_centre / e.iris_radius);
    ball = mix(ball, iris_ * (ring * streaks * (0.55f + 0.45f * shadow)),
               cover(from_centre - e.iris_radius, soft + 0.02f));
    ball = mix(ball, {0.03f, 0.03f, 0.03f}, cover(from_centre - 0.46f * e.iris_radius, soft + 0.01f));
    const float outward = p.x < 0 ? -1 : 1;
    const float glint = std::hypot(ix * outward + 0.045f - 0.06f * light_.x, iy + 0.085f) - 0.042f;
    under = mix(under, ball * light, inside);
    under = mix(under, {0.97f, 0.97f, 0.97f}, 0.9f * inside * cover(glint, soft + 0.02f));
  }
  const auto femininity = static_cast<float>(face_.identity.femininity);
  const float lash = 0.026f + 0.03f * femininity * (0.6f + 0.4f * s);
  const float reach = (1 - smoothstep(0.92f, 1.14f, s)) * smoothstep(-1.12f, -0.85f, s);
  const Colour dark{0.09f, 0.06f, 0.05f};
  under =
      mix(under, dark, (0.7f + 0.22f * femininity) * reach * cover(std::abs(y - upper + 0.01f) - lash, soft + 0.02f));
  return mix(under, dark * 2.2f,
             (0.34f + 0.2f * femininity) * reach * cover(std::abs(y - lower) - 0.014f, soft + 0.02f));
}

Colour FacePainter::mouth_inside(Colour under, const Place& p) const {
  const auto& m = geometry_.mouth;
  const float s = p.x / m.half_width;
  if (s < -1.06f || s > 1.06f || p.y < m.centre_y - 1.2f || p.y > m.centre_y + 2) return under;
  const float top = m.upper_in.at(s), bottom = m.lower_in.at(s), gap = bottom - top;
  const float middle = 0.5f * (top + bottom);
  const float soft = pixel_ + 0.02f;
  const float light = 0.9f * (ambient_ + 0.7f * key_);
  const float ends = 1 - smoothstep(0.97f, 1.06f, std::abs(s));
  const float line = cover(std::abs(p.y - middle) - std::max(0.022f, 0.5f * gap), soft + 0.02f);
  under = mix(under, Colour{0.25f, 0.12f, 0.11f} * skin_ * light, 0.85f * line * ends);
  const float inside = cover(-std::min(p.y - top, bottom - p.y), soft);
  if (inside <= 0 || gap < 0.02f) return under;
  const auto& shape = face_.expression.mouth;
  Colour dark = kCavity * light;
  const float tongue = bump(p.x, p.y, 0, m.lower_in.at(0) - 0.02f, 0.62f * m.half_width, 0.4f * m.gap + 0.02f);
  dark = mix(dark, kTongue * light * 0.75f, smoothstep(0.1f, 0.5f, tongue) * smoothstep(0.35f, 0.7f, m.gap));
  const float full = m.lower_in.at(0) - m.upper_in.at(0);
  const float bend = 0.4f * full * s * s;  // the arc of teeth recedes towards the corners
  const float side_shade = 1 - 0.55f * square(s * s);
  const float up_edge = top + static_cast<float>(shape.teeth) * std::min(full, 0.62f) - 0.2f * bend;
  const float low_edge = bottom - static_cast<float>(shape.lower_teeth) * std::min(full, 0.5f) + 0.3f * bend;
  const float gaps = fine_ > 0 ? 1 - 0.14f * fine_ * ridge(p.x / 0.19f - std::floor(p.x / 0.19f) - 0.5f, 0.09f) : 1;
  const float lip_shadow = 1 - 0.3f * (1 - smoothstep(0, 0.12f, p.y - top));
  const Colour tooth = kTooth * (light * side_shade * gaps * lip_shadow);
  if (shape.teeth > 0.01) dark = mix(dark, tooth, cover(p.y - up_edge, soft + 0.02f));
  if (shape.lower_teeth > 0.01) dark = mix(dark, tooth * 0.86f, cover(low_edge - p.y, soft + 0.02f));
  return mix(under, dark, inside * ends);
}

}  // namespace fercli::drawn
