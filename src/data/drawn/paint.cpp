#include "data/drawn/paint.hpp"

namespace fercli::drawn {

namespace {

/// Colour at t in [0,1] on a ramp of equally spaced stops.
template <size_t N>
Colour ramp(const std::array<Colour, N>& stops, double t) {
  const double p = std::min(std::max(t, 0.0), 1.0) * (N - 1);
  const auto i = std::min(N - 2, static_cast<size_t>(p));
  return mix(stops[i], stops[i + 1], static_cast<float>(p - static_cast<double>(i)));
}

constexpr std::array<Colour, 4> kSkin = {
    {{0.97f, 0.83f, 0.74f}, {0.90f, 0.71f, 0.57f}, {0.68f, 0.47f, 0.34f}, {0.42f, 0.27f, 0.20f}}};
constexpr std::array<Colour, 5> kHair = {{{0.07f, 0.06f, 0.06f},
                                          {0.17f, 0.11f, 0.08f},
                                          {0.34f, 0.22f, 0.13f},
                                          {0.74f, 0.58f, 0.36f},
                                          {0.58f, 0.27f, 0.13f}}};
constexpr std::array<Colour, 3> kIris = {{{0.20f, 0.12f, 0.07f}, {0.33f, 0.38f, 0.24f}, {0.42f, 0.58f, 0.72f}}};
constexpr std::array<Colour, 5> kCloth = {{{0.20f, 0.25f, 0.38f},
                                           {0.62f, 0.64f, 0.66f},
                                           {0.48f, 0.22f, 0.24f},
                                           {0.24f, 0.38f, 0.34f},
                                           {0.16f, 0.16f, 0.18f}}};

}  // namespace

FacePainter::FacePainter(const FaceGeometry& geometry, float pixel, float frame)
    : geometry_(geometry), face_(geometry.face), pixel_(pixel), frame_(frame) {
  const auto& id = face_.identity;
  frown_ = static_cast<float>(face_.expression.frown);
  smile_raise_ = static_cast<float>(face_.expression.cheek_raise);
  fine_ = 1 - smoothstep(0.015f, 0.045f, pixel);
  const double azimuth = face_.light.azimuth * kDegree, elevation = face_.light.elevation * kDegree;
  light_ = {static_cast<float>(std::sin(azimuth) * std::cos(elevation)), static_cast<float>(-std::sin(elevation)),
            static_cast<float>(std::cos(azimuth) * std::cos(elevation))};
  key_ = static_cast<float>(face_.light.strength);
  ambient_ = static_cast<float>(face_.light.ambient);
  cos_yaw_ = static_cast<float>(std::cos(face_.pose.yaw * kDegree));
  sin_yaw_ = static_cast<float>(std::sin(face_.pose.yaw * kDegree));
  cos_pitch_ = static_cast<float>(std::cos(face_.pose.pitch * kDegree));
  sin_pitch_ = static_cast<float>(std::sin(face_.pose.pitch * kDegree));
  skin_ = ramp(kSkin, id.skin_tone);
  const auto femininity = static_cast<float>(id.femininity);
  lip_ = skin_ * mix(Colour{0.84f, 0.64f, 0.64f}, Colour{0.78f, 0.42f, 0.45f}, femininity);
  hair_ = ramp(kHair, id.hair_colour);
  const auto grey = static_cast<float>(std::max(0.0, id.age - 0.6) / 0.4);
  hair_ = mix(hair_, {0.66f, 0.66f, 0.67f}, 0.85f * grey);
  brow_ = mix(hair_ * 0.75f, Colour{0.12f, 0.09f, 0.07f}, 0.45f) * skin_ * 1.1f;
  iris_ = ramp(kIris, id.eye_colour);
  grain_ = static_cast<uint32_t>(face_.texture ^ (face_.texture >> 32));
  cloth_ = kCloth[grain_ % kCloth.size()];
}

FacePainter::Normal FacePainter::normal(float slope_x, float slope_y) const {
  const float length = 1 / std::sqrt(1 + slope_x * slope_x + slope_y * slope_y);
  const Normal n{-slope_x * length, -slope_y * length, length};
  const Normal turned{n.x * cos_yaw_ + n.z * sin_yaw_, n.y, n.z * cos_yaw_ - n.x * sin_yaw_};
  return {turned.x, turned.y * cos_pitch_ + turned.z * sin_pitch_, turned.z * cos_pitch_ - turned.y * sin_pitch_};
}

float FacePainter::lit(const Normal& n) const {
  constexpr float kWrap = 0.22f;  // soft light reaches a little past the terminator
  const float direct = std::max(0.f, n.x * light_.x + n.y * light_.y + n.z * light_.z + kWrap) / (1 + kWrap);
  return ambient_ * (0.88f - 0.12f * n.y) + key_ * direct;
}

Colour FacePainter::background(float x, float y) const {
  const auto& camera = face_.camera;
  const float u = x / frame_, v = y / frame_;
  const auto base = static_cast<float>(camera.background);
  const float blobs = value_noise(1.3f * u + 7, 1.3f * v + 3, grain_) - 0.5f;
  const float value = clamp01(base * (1 - 0.12f * v) + 0.16f * blobs);
  const auto tint = static_cast<float>(camera.background_tint - 0.5);
  return {value * (1 - 0.12f * tint), value, value * (1 + 0.14f * tint)};
}

Colour FacePainter::body(Colour under, const Place& p) const {
  if (p.y < 1.5f) return under;
  const auto femininity = static_cast<float>(face_.identity.femininity);
  const float half = mix(1.36f, 1.06f, femininity) * geometry_.head_width / FaceGeometry::kHeadWidth;
  const float flare = 0.9f * square(std::max(0.f, p.y - 3.9f));
  const float chin = FaceGeometry::kMiddle + geometry_.head_bottom;
  const float neck = (std::abs(p.x) - half - flare) * 0.8f;
  const float round = p.x / (half + flare + 0.4f);
  const float shade = lit(normal(0.9f * round, 0.25f)) * (0.55f + 0.45f * smoothstep(chin - 0.3f, chin + 1.3f, p.y));
  Colour out = mix(under, skin_ * shade, cover(neck, pixel_ + 0.05f));
  const float slope = 0.42f * std::abs(p.x) + 0.05f * square(p.x);
  const float neckline = 4.3f + 0.55f * ridge(p.x, 2.2f);
  const float shoulder = std::max(neckline - p.y, 3.95f + slope - p.y);
  const float sleeve =
      lit(normal(0.25f * p.x, -0.35f)) * (0.92f + 0.16f * (value_noise(3 * p.x, 2 * p.y, grain_ + 5) - 0.5f));
  return mix(out, cloth_ * sleeve, cover(shoulder, pixel_ + 0.06f));
}

Colour FacePainter::ears(Colour under, const Place& p) const {
  const float ax = std::abs(p.x);
  if (hair_covers_ears() || ax < geometry_.head_width - 0.5f || p.y < -1 || p.y > 1.8f) return under;
  const float dx = (ax - geometry_.head_width - 0.02f) / 0.3f,
              dy = (p.y - 0.35f - 0.4f * (ax - geometry_.head_width)) / 0.72f;
  const float d = (std::sqrt(dx * dx + dy * dy) - 1) * 0.3f;
  const float hollow = 1 - 0.35f * bump(dx, dy, -0.1f, 0, 0.6f, 0.7f);
  const float shade = lit(normal(p.x > 0 ? 0.9f : -0.9f, 0.1f)) * hollow * 0.9f;
  return mix(under, skin_ * Colour{1, 0.92f, 0.9f} * shade, cover(d, pixel_ + 0.03f));
}

void FacePainter::shade_nose(Skin& skin, const Place& p) const {
  const float ax = std::abs(p.x), tip = geometry_.nose_tip_y, wide = geometry_.nose_width;
  if (ax > 1.5f || p.y < -0.4f || p.y > tip + 1.1f) return;
  const float shadow = key_ * bump(p.x, p.y, -0.75f * light_.x, tip + 0.42f - 0.15f * light_.y, 0.52f, 0.3f);
  skin.open -= 0.26f * bump(ax, p.y, 0, tip + 0.38f, wide * 1.15f, 0.24f) + 0.28f * std::max(0.f, shadow);
  skin.open -= 0.2f * ridge(ax - wide * 1.03f, 0.1f) * ridge(p.y - tip - 0.1f, 0.3f);
  skin.albedo = mix(skin.albedo, Colour{0.16f, 0.08f, 0.07f} * skin_,
                    0.8f * std::min(1.f, 1.6f * bump(ax, p.y, wide * 0.5f, tip + 0.25f, 0.2f, 0.1f)));
  skin.albedo = mix(skin.albedo, skin.albedo * Colour{1, 0.88f, 0.86f}, bump(ax, p.y, 0, tip, 0.5f, 0.5f));
  skin.gloss += 0.5f * bump(ax, p.y, 0, tip - 0.15f, 0.3f, 0.4f);
}

void FacePainter::shade_creases(Skin& skin, const Place& p) const {
  const float ax = std::abs(p.x);
  const int side = p.x < 0 ? 0 : 1;
  const auto& g = geometry_;
  if (p.y > g.fold_top && p.y < g.fold_bottom) {
    const float s = 2 * (p.y - g.fold_top) / (g.fold_bottom - g.fold_top) - 1;
    const float d = ax - g.fold_x[side].at(s);
    skin.open -= 0.34f * g.smile * ridge(d + 0.03f, 0.14f) * ridge(s, 1);
  }
  const float corner = g.mouth.corner_y[side];
  skin.open -= (0.16f + 0.14f * std::abs(static_cast<float>(face_.expression.mouth.corner_lift))) *
               bump(ax, p.y, g.mouth.half_width + 0.05f, corner, 0.24f, 0.24f);
  skin.open -= 0.2f * bump(ax, p.y, 0, g.mouth.lower_out.at(0) + 0.12f, 0.55f, 0.16f);
  if (frown_ > 0)
    skin.open -= 0.42f * frown_ * ridge(ax - 0.16f - 0.05f * (p.y + 0.7f), 0.07f) * ridge(p.y + 0.62f, 0.42f);
  const auto& ex = face_.expression;
  const auto wrinkle = static_cast<float>(ex.nose_wrinkle);
  if (wrinkle > 0 && ax < 0.9f && p.y > -0.6f && p.y < 0.9f) {
    skin.open -=
        0.2f * wrinkle * (0.5f + 0.5f * std::sin(17 * (p.y - 0.5f * ax) + 1)) * bump(ax, p.y, 0.15f, 0.1f, 0.45f, 0.5f);
    skin.open -= 0.22f * wrinkle * ridge(ax - 0.42f - 0.3f * (p.y - 0.4f), 0.1f) * ridge(p.y - 0.45f, 0.5f);
  }
  const auto lines = static_cast<float>(ex.forehead + 0.3 * face_.identity.age);
  if (lines > 0 && p.y < -1 && p.y > -2.2f) {
    skin.open -= 0.09f * lines * (0.5f + 0.5f * std::sin(19 * (p.y + 0.05f * ax * ax) + 1.2f)) *
                 bump(ax, p.y, 0, -1.6f, 1.5f, 0.6f);
  }
}

Colour FacePainter::skin(const Place& p, float slope_x, float slope_y) const {
  const float ax = std::abs(p.x);
  Skin skin{skin_};
  const float blush = 0.5f * bump(ax, p.y, 1.25f, 1.05f - 0.15f * smile_raise_, 0.85f, 0.75f);
  skin.albedo = mix(skin.albedo, skin.albedo * Colour{1, 0.86f, 0.85f}, blush);
  if (fine_ > 0) {
    const float pores = value_noise(26 * p.x, 26 * p.y, grain_) + value_noise(57 * p.x, 57 * p.y, grain_ + 1) - 1;
    skin.albedo = skin.albedo * (1 + 0.035f * fine_ * pores);
  }
  skin.open -= 0.16f * p.r2 * p.r2 * p.r2;
  skin.gloss = 0.3f * bump(ax, p.y, 1.2f, 0.75f, 0.6f, 0.5f) + 0.25f * bump(ax, p.y, 0, -1.3f, 1.1f, 0.7f);
  shade_nose(skin, p);
  shade_creases(skin, p);
  shade_eye_region(skin, p);
  shade_lips(skin, p);
  shade_beard(skin, p);
  shade_brow(skin, p);
  const Normal n = normal(slope_x, slope_y);
  const Normal half{light_.x, light_.y, light_.z + 1};
  const float facing =
      (n.x * half.x + n.y * half.y + n.z * half.z) / std::sqrt(half.x * half.x + half.y * half.y + half.z * half.z);
  const float shine = facing > 0.8f ? square(square((facing - 0.8f) * 5)) : 0;
  const float light = lit(n) * std::max(0.12f, skin.open);
  const float gloss = 0.22f * key_ * skin.gloss * shine;
  return skin.albedo * light + Colour{gloss, gloss, gloss};
}

Colour FacePainter::paint(float x, float y, const Place& p, float slope_x, float slope_y) const {
  const float front = hair_in_front(p);
  if (front >= 1) return glasses(hair_colour(p.x, p.y), p);
  const float edge = (std::sqrt(p.r2) - 1) * 2.3f;
  const float on_head = cover(edge, 1.5f * pixel_ + 0.01f);
  Colour out;
  if (on_head < 1) out = ears(body(hair_behind(background(x, y), p), p), p);
  if (on_head > 0) {
    Colour face = skin(p, slope_x, slope_y);
    face = eye(face, p);
    face = mouth_inside(face, p);
    out = mix(out, face * (1 - hair_shadow(p)), on_head);
  }
  if (front > 0) out = mix(out, hair_colour(p.x, p.y), front);
  return glasses(out, p);
}

}  // namespace fercli::drawn
