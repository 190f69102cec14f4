#include "data/drawn/paint.hpp"

namespace fercli::drawn {

namespace {

/// How a style lies on the head, in face units.
struct Cut {
  float thickness;  ///< above the skull, at full volume
  float hairline;   ///< y of the front edge over the middle of the forehead
  float temple;     ///< |x| of the face's side edge
  float sideburn;   ///< y down to which hair stands before the ears
  float length;     ///< y of the ends behind; no more than the head's middle for short hair
  float jagged;     ///< irregularity of the front edge
  float curls;      ///< irregularity of the outline
  float density;
};

const Cut& cut_of(HairStyle style) {
  static const std::array<Cut, kHairStyles> cuts = {{
      {0.00f, -9.00f, 9.00f, -9.0f, -9.0f, 0.00f, 0.00f, 0.0f},  // Bald
      {0.10f, -2.05f, 2.02f, 0.2f, 0.2f, 0.04f, 0.00f, 0.78f},   // Cropped
      {0.38f, -2.00f, 2.02f, 0.3f, 0.3f, 0.10f, 0.03f, 1.0f},    // Short
      {0.36f, -1.12f, 2.00f, 0.5f, 0.9f, 0.16f, 0.03f, 1.0f},    // Fringe
      {0.40f, -1.95f, 1.86f, 2.9f, 2.9f, 0.06f, 0.03f, 1.0f},    // Bob
      {0.42f, -1.98f, 1.82f, 6.2f, 6.2f, 0.06f, 0.04f, 1.0f},    // Long
      {0.62f, -1.80f, 1.95f, 0.8f, 1.6f, 0.16f, 0.16f, 1.0f},    // Curly
      {0.20f, -2.00f, 2.04f, 0.1f, 0.1f, 0.04f, 0.00f, 1.0f},    // Bun
  }};
  return cuts[static_cast<size_t>(style)];
}

/// Where no style has hair; spares most pixels of a close-up the rest of the work.
bool middle_of_face(const Place& p) {
  return std::abs(p.x) < 1.3f && p.y > -0.6f;
}

}  // namespace

/// Signed distance to the outline of the whole hair, negative inside.
float FacePainter::hair_outside(float x, float y) const {
  const Cut& cut = cut_of(face_.identity.hair);
  const float thickness = cut.thickness * (0.6f + 0.8f * static_cast<float>(face_.identity.hair_volume));
  const float wide = geometry_.head_width + 0.7f * thickness, high = geometry_.head_top + thickness;
  const float middle = FaceGeometry::kMiddle;
  float d;
  if (y < middle) {
    d = (std::sqrt(FaceGeometry::skull(x, y, wide, high)) - 1) * wide;
  } else {
    const float sway = 0.09f * (y - middle) * (cut.length > 4 ? 1.f : 0.4f);
    d = std::max(std::abs(x) - wide - sway, y - cut.length - 0.3f * (value_noise(2.5f * x, 0, grain_ + 23) - 0.5f));
  }
  if (cut.curls > 0) d -= cut.curls * (value_noise(2.2f * x, 2.2f * y, grain_ + 21) - 0.5f) * 2;
  if (face_.identity.hair == HairStyle::Bun) {
    const float bun = std::hypot(x, y - middle + high + 0.25f) - 0.85f;
    d = std::min(d, bun);
  }
  return d;
}

/// Signed distance to the part of the head that hair leaves free, negative on the bare face.
float FacePainter::face_opening(float x, float y) const {
  const Cut& cut = cut_of(face_.identity.hair);
  const float middle = 0.7f;
  const float parting = face_.identity.hair == HairStyle::Fringe ? 0 : 0.1f * ((grain_ & 1) ? x : -x);
  const float receding = face_.identity.femininity < 0.5 ? 0.35f * static_cast<float>(face_.identity.age) : 0;
  const float high = middle - cut.hairline + receding + parting;
  const float wide = cut.temple * geometry_.head_width / 2.17f;
  float d;
  if (y < middle) {
    const float nx = square(x / wide), ny = square((y - middle) / high);
    const bool straight = face_.identity.hair == HairStyle::Fringe;
    d = (std::sqrt(std::sqrt(nx * nx + ny * ny + (straight ? 0 : nx * ny))) - 1) * wide;
  } else {
    d = std::abs(x) - wide;
  }
  if (std::abs(d) > 0.6f) return d;
  const float strands = value_noise(5.5f * x, 1.2f * y, grain_ + 17) - 0.5f;
  return d + cut.jagged * 2 * strands;
}

Colour FacePainter::hair_colour(float x, float y) const {
  const float middle = FaceGeometry::kMiddle;
  const float above = std::min(0.f, y - middle), below = std::max(0.f, y - middle);
  const float across = 6 * std::atan2(x, 0.6f - above), along = std::sqrt(x * x + above * above) + 0.5f * below;
  const bool curly = face_.identity.hair == HairStyle::Curly;
  float strands = curly ? value_noise(3 * x, 3 * y, grain_ + 31) : value_noise(3 * across, 0.5f * along, grain_ + 31);
  if (fine_ > 0)
    strands = mix(strands, 0.4f * strands + 0.6f * value_noise(12 * across, 0.8f * along, grain_ + 32), fine_);
  const float wide = geometry_.head_width + 0.4f;
  const float nx = std::min(1.f, std::max(-1.f, x / wide)), ny = above / (geometry_.head_top + 0.4f);
  const Normal n{nx, ny, std::sqrt(std::max(0.05f, 1 - nx * nx - ny * ny))};
  const float band = ridge(n.x * light_.x + n.y * light_.y + n.z * light_.z - 0.85f, 0.3f);
  const Colour base = hair_ * (lit(n) * (0.76f + 0.4f * strands));
  const float shine = 0.14f * key_ * band * strands;
  return base + Colour{shine, shine, shine};
}

Colour FacePainter::hair_behind(Colour under, const Place& p) const {
  if (cut_of(face_.identity.hair).density <= 0) return under;
  const float d = hair_outside(p.x, p.y);
  const float inside = cover(d, pixel_ + 0.06f);
  return inside > 0 ? mix(under, hair_colour(p.x, p.y) * 0.72f, inside) : under;
}

float FacePainter::hair_in_front(const Place& p) const {
  const Cut& cut = cut_of(face_.identity.hair);
  if (cut.density <= 0 || p.y > cut.sideburn + 0.2f || middle_of_face(p)) return 0;
  const float opening = face_opening(p.x, p.y);
  if (opening < -0.2f) return 0;
  const float ends = p.y - cut.sideburn + 0.14f * value_noise(9 * p.x, 0, grain_ + 19);
  const float d = std::max({-opening, hair_outside(p.x, p.y), ends});
  return cover(d, pixel_ + 0.09f) * cut.density;
}

float FacePainter::hair_shadow(const Place& p) const {
  const Cut& cut = cut_of(face_.identity.hair);
  if (cut.density <= 0 || p.y > cut.sideburn || middle_of_face(p)) return 0;
  const float near = clamp01(1 + face_opening(p.x, p.y) / 0.32f);
  return 0.32f * near * near * clamp01(1.5f * (cut.sideburn - p.y));
}

bool FacePainter::hair_covers_ears() const {
  return cut_of(face_.identity.hair).sideburn > 1.5f;
}

Colour FacePainter::glasses(Colour under, const Place& p) const {
  const auto amount = static_cast<float>(face_.identity.glasses);
  if (amount <= 0 || p.y < -1.2f || p.y > 1.2f) return under;
  const float ax = std::abs(p.x);
  const float nx = (ax - 1.03f * geometry_.eye_x) / 0.8f, ny = (p.y - 0.1f) / 0.56f;
  const float frame = (std::sqrt(std::sqrt(square(square(nx)) + square(square(ny)))) - 1) * 0.6f;
  const float soft = pixel_ + 0.02f;
  const float rim = cover(std::abs(frame) - 0.045f, soft);
  const float bridge =
      ax < 0.4f ? cover(std::abs(p.y + 0.1f - 0.25f * ax * ax) - 0.045f, soft) * cover(ax - 0.3f, soft) : 0;
  const float arm = nx > 0.97f && ax < geometry_.head_width + 0.02f ? cover(std::abs(p.y + 0.08f) - 0.05f, soft) : 0;
  const float sheen = 0.07f * cover(frame, soft) * ridge(nx + 0.5f * ny + 0.3f * light_.x, 0.5f);
  under = under + Colour{sheen, sheen, sheen} * amount;
  return mix(under, {0.10f, 0.09f, 0.09f}, 0.9f * amount * std::max({rim, bridge, arm}));
}

}  // namespace fercli::drawn
