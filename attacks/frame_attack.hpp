#pragma once

#include <functional>
#include <vector>

#include "attacks/threat/emotion_goal.hpp"
#include "attacks/threat/threat_model.hpp"
#include "core/random.hpp"
#include "faces/face_reader.hpp"

namespace fercli {

/// The attack on the whole picture that a camera delivers: its pixels change, and what counts is what the program reads
/// from it the way it reads every picture (`find_faces`, `crop_faces`, the network).
struct FrameAttackSettings {
  ThreatModel threat;  ///< on the colour frame, pixels in [0,1]
  int64_t steps = 40;
  double alpha = 0;       ///< step size; 0: 2.5 eps / steps
  double confidence = 0;  ///< go on until the goal has this probability
  int64_t shifted = 3;    ///< shifted boxes beside the detected one whose crops the gradient also sees
  double shift = 0.03;    ///< how far a box is shifted and stretched, of its side
  std::function<void(int64_t step)> progress = {};
};

/// What the program reads in a frame where it read a face before.
struct FrameReading {
  bool found = false;    ///< the detector still finds a face there (overlap at least 0.4)
  FaceReading face;      ///< valid where found
  bool reached = false;  ///< and the network's class is the goal's
};

/// Runs detection, crop, grey conversion, resize and network on the picture. label: the class of the face before, for
/// goals without a target.
FrameReading read_frame(const Classifier& classifier, FaceDetector& detector, const Picture& picture, const Box& before,
                        const EmotionGoal& goal, int64_t label);

struct FrameAttackResult {
  Picture picture;  ///< the 8-bit frame, in the ball
  FaceReading before;
  FrameReading after;       ///< of this very frame, the detector rerun
  int64_t steady = 0;       ///< boxes, shifted a little from the one detected, whose crops reach the goal too
  int64_t shifted = 0;      ///< of so many
  int64_t steps = 0;        ///< taken
  int64_t faces = 0;        ///< found in the original
  double linf = 0, l2 = 0;  ///< between the two frames, pixels in [0,1]
};

/// The faces of a picture, the largest first.
std::vector<Box> find_by_size(FaceDetector& detector, const Picture& picture);

/// Gradients go from the network through resize and crop (linear: R P C^T, see `resampling_matrix`) and grey conversion
/// to the colour frame; the network sees the crop that the program's own chain makes of the frame rounded to 8 bits, so
/// nothing is approximated but the two roundings, which pass gradients as they are. Each step descends the margin
/// summed over the box detected in the present frame and some shifted ones (expectation over what the detector may do
/// next); it ends when all of these reach the goal. Of all frames seen, the one kept has a face found again and the
/// goal reached, then the most of the shifted boxes, then the highest probability. `face`: which of the faces found, by
/// size, 0 the largest. Throws RunError: no face, or fewer; Interrupted.
FrameAttackResult attack_frame(const Classifier& classifier, FaceDetector& detector, const Picture& picture,
                               size_t face, const EmotionGoal& goal, const FrameAttackSettings& settings,
                               const Rng& rng);

/// How the program's crop of this square depends on the frame: gradient at the crop (C,S,S) float32 -> gradient at the
/// RGB frame (3,height,width).
torch::Tensor pull_back_crop(const torch::Tensor& gradient, const Box& square, int64_t height, int64_t width);

}  // namespace fercli
