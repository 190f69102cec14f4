#pragma once

#include <torch/types.h>

#include <array>
#include <string>
#include <vector>

#include "core/random.hpp"

namespace fercli {

/// Drawn faces: a licence-free stand-in for photographs. A head is a smooth surface (dome, nose, cheeks, lips, folds)
/// lit by one light, painted with eyes, brows, mouth and hair, and seen by a camera with blur and noise. Everything
/// about it is a number in `FaceParameters`; equal parameters give equal pixels.
///
/// Lengths are in face units: half the distance between the pupils of an average head is 1. Index 0 of a pair is the
/// side on the left of the picture.

enum class HairStyle { Bald, Cropped, Short, Fringe, Bob, Long, Curly, Bun };
constexpr int kHairStyles = 8;

enum class Framing {
  Crop,     ///< as in FER2013: the face fills the frame, eyes at 38 % of the height, mouth at 76 %
  Portrait  ///< head and shoulders with a margin, for detectors and video
};

struct BrowShape {
  double height = 0;     ///< raised above its resting place
  double angle = 0;      ///< > 0: inner end up (sorrow), < 0: inner end down (anger)
  double curvature = 0;  ///< added to the resting arch
};

struct EyeShape {
  double openness = 1;   ///< 0 closed, 1 at rest, 1.7 wide open
  double upper_lid = 0;  ///< > 0: outer part of the upper lid hangs, < 0: inner part does
  double lower_lid = 0;  ///< 1: lower lid pushed up by the cheek
};

struct MouthShape {
  double width = 1;        ///< factor on the identity's width
  double opening = 0;      ///< height of the gap between the lips
  double corner_lift = 0;  ///< > 0: smile, < 0: corners down
  double upper_lip = 0;    ///< 1: upper lip pulled up, gums nearly bare
  double lower_lip = 0;    ///< > 0: pulled down, < 0: pushed up (pout)
  double teeth = 0;        ///< share of the gap that the upper teeth fill
  double lower_teeth = 0;  ///< the same for the lower teeth
  double curvature = 0;    ///< shape of the gap: 0 lens, 1 ellipse, 2 box
  double press = 0;        ///< 1: lips pressed to a line
  double skew = 0;         ///< > 0: the right corner is higher than the left
};

struct FaceExpression {
  std::array<BrowShape, 2> brow;
  std::array<EyeShape, 2> eye;
  double gaze_x = 0, gaze_y = 0;  ///< ±1: iris at the corner (right) or lid (down)
  double frown = 0;               ///< vertical folds between the brows
  double forehead = 0;            ///< horizontal folds on the forehead
  double nose_wrinkle = 0;
  double cheek_raise = 0;
  double jaw_drop = 0;  ///< chin lowered
  double fold = 0;      ///< depth of the folds from nose to mouth, beyond what a smile makes
  MouthShape mouth;
};

struct FaceIdentity {
  double head_width = 1, head_height = 1;  ///< factors
  double jaw = 0.5;                        ///< 0 pointed, 1 square
  double chin = 1;                         ///< factor on the distance from eyes to chin
  double eye_size = 1, eye_distance = 1;   ///< factors
  double eye_tilt = 0;                     ///< outer corners up
  double eye_colour = 0.3;                 ///< 0 dark brown, 0.5 green, 1 light blue
  double brow_thickness = 1;
  double nose_width = 1, nose_length = 1;
  double mouth_width = 1, lips = 1;  ///< lips: factor on their thickness
  double skin_tone = 0.25;           ///< 0 fair, 1 dark
  double age = 0.2;                  ///< 0 young, 1 old: folds, bags, grey hair
  double femininity = 0.5;           ///< lashes, lip colour, brow ridge
  double facial_hair = 0;            ///< 0 none, 0.4 stubble, 1 full beard
  double hair_colour = 0.3;          ///< 0 black, 0.35 brown, 0.7 fair, 1 red
  double hair_volume = 0.5;
  double glasses = 0;  ///< 0 none, 1 dark frame
  HairStyle hair = HairStyle::Short;
};

struct FacePose {
  double yaw = 0, pitch = 0, roll = 0;  ///< degrees; > 0: turned to the right of the picture, down, clockwise
  double zoom = 1;                      ///< factor on the size in the frame
  double shift_x = 0, shift_y = 0;      ///< face units
};

struct FaceLight {
  double azimuth = -25, elevation = 35;  ///< degrees; -90: from the left, 90: from above
  double strength = 0.65, ambient = 0.42;
};

struct FaceCamera {
  double background = 0.55, background_tint = 0.5;  ///< brightness; 0 warm, 1 cold
  double exposure = 1, contrast = 1;
  double blur = 0;   ///< standard deviation, in pixels
  double noise = 0;  ///< standard deviation, of pixels in [0,1]
};

struct FaceParameters {
  FaceIdentity identity;
  FaceExpression expression;
  FacePose pose;
  FaceLight light;
  FaceCamera camera;
  Framing framing = Framing::Crop;
  uint64_t texture = 0;  ///< key of hair strands, skin grain and camera noise
};

/// One number among the parameters, with the interval that `draw_face` accepts.
struct FaceField {
  std::string name;  ///< "mouth.corner_lift"
  double low, high;
  double& (*of)(FaceParameters&);
};
const std::vector<FaceField>& face_fields();

/// a at t = 0, b at t = 1, every number in between; hair style, framing and texture change over at t = 0.5.
FaceParameters blend(const FaceParameters& a, const FaceParameters& b, double t);

/// The same head with this emotion (a name or alias known to `find_emotion`) in place of its expression: `intensity` 0
/// is its neutral face, 1 the full expression. Throws UserError on an unknown emotion.
FaceParameters with_expression(FaceParameters face, const std::string& emotion, double intensity = 1);

/// A head from `rng`, with the ways, strengths and asymmetries in which people show this emotion. Throws UserError on
/// an unknown emotion.
FaceParameters random_face(const std::string& emotion, Rng rng);

/// uint8 (channels, size, size), RGB when channels is 3. Numbers outside their field's interval are taken to its nearer
/// end. `size` 16 … 4096. Throws UserError on another size or channel count.
torch::Tensor draw_face(const FaceParameters& face, int64_t size, int64_t channels);

}  // namespace fercli
