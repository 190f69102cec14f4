#pragma once

#include "data/drawn/geometry.hpp"

namespace fercli::drawn {

/// Colours of the pixels of one face.
class FacePainter {
 public:
  /// `pixel`: width of a (sub)pixel in face units; `frame`: half the picture's width in face units.
  FacePainter(const FaceGeometry& geometry, float pixel, float frame);

  /// `x`, `y`: place in the picture, roll and zoom undone; `slope_x`, `slope_y`: derivatives of the skin's height
  /// there.
  Colour paint(float x, float y, const Place& place, float slope_x, float slope_y) const;

 private:
  struct Normal {
    float x, y, z;
  };
  /// Skin before and after the light: what the features change.
  struct Skin {
    Colour albedo;
    float open = 1;  ///< share of the surroundings' light that reaches it
    float gloss = 0;
  };

  // drawn_paint.cpp
  Normal normal(float slope_x, float slope_y) const;
  float lit(const Normal& n) const;
  Colour background(float x, float y) const;
  Colour body(Colour under, const Place& p) const;
  Colour ears(Colour under, const Place& p) const;
  Colour skin(const Place& p, float slope_x, float slope_y) const;
  void shade_nose(Skin& skin, const Place& p) const;
  void shade_creases(Skin& skin, const Place& p) const;
  // drawn_features.cpp
  void shade_eye_region(Skin& skin, const Place& p) const;
  void shade_brow(Skin& skin, const Place& p) const;
  void shade_lips(Skin& skin, const Place& p) const;
  void shade_beard(Skin& skin, const Place& p) const;
  Colour eye(Colour under, const Place& p) const;
  Colour mouth_inside(Colour under, const Place& p) const;
  // drawn_hair.cpp
  Colour hair_behind(Colour under, const Place& p) const;
  float hair_in_front(const Place& p) const;  ///< share of the pixel that hair before the head covers
  float hair_shadow(const Place& p) const;
  bool hair_covers_ears() const;
  Colour hair_colour(float x, float y) const;
  float hair_outside(float x, float y) const;
  float face_opening(float x, float y) const;
  Colour glasses(Colour under, const Place& p) const;

  const FaceGeometry& geometry_;
  const FaceParameters& face_;
  float pixel_, frame_, frown_, smile_raise_, fine_;
  Normal light_;
  float key_, ambient_;
  float cos_yaw_, sin_yaw_, cos_pitch_, sin_pitch_;
  Colour skin_, lip_, hair_, brow_, iris_, cloth_;
  uint32_t grain_;
};

}  // namespace fercli::drawn
