#pragma once

#include <memory>
#include <vector>

#include "faces/face_detector.hpp"
#include "live/cut_detector.hpp"
#include "live/tracker.hpp"

namespace fercli {

/// How faces are followed.
struct Following {
  double steady = 0;                    ///< see Tracker
  int64_t confirm = Tracker::kConfirm;  ///< frames in which a face is found before it counts
  int64_t coast = 6;                    ///< a face that is missed stays for so many frames
  bool whole_pictures = false;          ///< look for all faces in every frame, however long that takes
};

/// Finds and follows the faces of a video, frame by frame, in a small and steady share of the time between two frames:
/// around each known face it looks at once, and for new faces it looks in the whole picture for one band of sizes a
/// frame, all bands in turn. Detectors that search a whole picture quickly (YuNet) do so in every frame. After a hard
/// cut every face is a new one.
class FaceFollower {
 public:
  FaceFollower(std::shared_ptr<FaceDetector> detector, const Following& how)
      : detector_(std::move(detector)), how_(how), tracker_(how.confirm) {}

  /// The confirmed faces of this frame, seen at `time` (seconds), that were found in it, or at most `coast` frames ago.
  std::vector<Track> follow(const Picture& picture, double time);

  /// A frame between those that are followed: only a cut in it counts.
  void pass(const Picture& picture);

  void use(std::shared_ptr<FaceDetector> detector) { detector_ = std::move(detector); }
  const FaceDetector& detector() const { return *detector_; }
  int64_t born() const { return tracker_.born(); }

 private:
  void look_around_known(const Picture& picture, std::vector<Detection>& found);
  void look_for_new(const Picture& picture, std::vector<Detection>& found);

  std::shared_ptr<FaceDetector> detector_;
  Following how_;
  Tracker tracker_;
  CutDetector cuts_;
  std::optional<double> time_;  ///< of the last frame that was followed
  int64_t band_ = 0;
};

}  // namespace fercli
