#pragma once

#include "data/drawn/face.hpp"
#include "data/drawn/math.hpp"

namespace fercli::drawn {

/// Where everything on a face lies, worked out once per face. Head coordinates: origin between the pupils, x to the
/// right of the picture, y down, face units. Eyes and brows are given for the right side; `side` mirrors them.

struct EyeGeometry {
  float half_width, tilt;
  Curve upper, lower;  ///< lid edges, y against s in [-1 inner corner, 1 outer corner]
  float crease;        ///< distance of the fold above the upper lid
  float iris_x, iris_y, iris_radius;
};

struct BrowGeometry {
  float inner, outer;       ///< x of the ends
  Curve centre, thickness;  ///< y of the middle line and half the thickness, against s in [-1 inner, 1 outer]
};

struct MouthGeometry {
  float half_width, centre_y, gap, corner_y[2];
  Curve upper_out, upper_in, lower_in, lower_out;  ///< y of the lips' edges against s in [-1 left, 1 right]
};

/// A pixel's place on the head.
struct Place {
  float x, y;
  float r2;  ///< 0 in the middle of the face, 1 on the outline of the head
};

class FaceGeometry {
 public:
  explicit FaceGeometry(const FaceParameters& face);

  /// From the picture (face units, roll and zoom already undone) to the head, through yaw and pitch.
  Place locate(float x, float y) const;

  /// 0 in the middle, 1 on the outline of a head this wide and this high above `kMiddle`.
  static float skull(float x, float y, float wide, float high);

  /// Height of the skin above the plane of the head's outline.
  float height(const Place& place) const;

  FaceParameters face;
  float head_width, head_top, head_bottom;  ///< half width; distances from `kMiddle` up and down
  float eye_x;                              ///< distance of the pupils' centres from the middle
  float nose_tip_y, nose_width;
  float smile;  ///< depth of the folds from nose to mouth
  EyeGeometry eye[2];
  BrowGeometry brow[2];
  MouthGeometry mouth;
  Curve fold_x[2];  ///< |x| of that fold against s in [-1 beside the nose, 1 beside the mouth]
  float fold_top, fold_bottom;

  static constexpr float kHeadWidth = 2.24f;  ///< half width of an average head
  static constexpr float kMiddle = 0.25f;     ///< y of the widest place of the head

 private:
  float outline(float x, float y) const;
  float nose_height(float ax, float y) const;
  float eye_region_height(float ax, float y, int side) const;
  float mouth_height(float x, float y) const;
  void shape_eye(int side);
  void shape_brow(int side);
  void shape_mouth();
  void shape_folds();

  float jaw_, sin_yaw_, cos_yaw_, sin_pitch_, cos_pitch_;
};

}  // namespace fercli::drawn
