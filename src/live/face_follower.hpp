#pragma once

#include <memory>
#include <vector>

#include "faces/face_detector.hpp"
#include "live/tracker.hpp"

namespace fercli {

/// Finds and follows the faces of a video, frame by frame, in a small and steady share of the time between two frames:
/// around each known face it looks at once, and for new faces it looks in the whole picture for one band of sizes a
/// frame, all bands in turn. Detectors that search a whole picture quickly (YuNet) do so in every frame.
class FaceFollower {
 public:
  /// `steady`: see Tracker.
  FaceFollower(std::shared_ptr<FaceDetector> detector, double steady)
      : detector_(std::move(detector)), steady_(steady) {}

  /// The confirmed faces of this frame that were found in it, or at most kCoast frames ago.
  std::vector<Track> follow(const Picture& picture);
  static constexpr int64_t kCoast = 6;

  void use(std::shared_ptr<FaceDetector> detector) { detector_ = std::move(detector); }
  const FaceDetector& detector() const { return *detector_; }
  int64_t born() const { return tracker_.born(); }

 private:
  void look_around_known(const Picture& picture, std::vector<Box>& found);
  void look_for_new(const Picture& picture, std::vector<Box>& found);

  std::shared_ptr<FaceDetector> detector_;
  double steady_;
  Tracker tracker_;
  int64_t band_ = 0;
};

}  // namespace fercli
