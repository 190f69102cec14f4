#pragma once

#include <vector>

#include "faces/face_crop.hpp"

namespace fercli {

/// One face followed through a video.
struct Track {
  int64_t id = 0;    ///< from 1, never used twice; 0 while the face is not confirmed
  Box box;           ///< where it was seen last
  int64_t hits = 0;  ///< frames in which it was found
  int64_t lost = 0;  ///< frames since it was found last

  bool confirmed() const { return id > 0; }
};

/// Gives faces stable numbers: detections are matched to tracks by overlap, else by nearness, best first. A face gets
/// its number when it was found in kConfirm frames; it keeps it through kForget frames without being found.
class Tracker {
 public:
  static constexpr int64_t kConfirm = 3, kForget = 30;

  /// One frame. `steady` in [0, 1): how far the last box holds back the new one (0: the box is the detection).
  const std::vector<Track>& update(const std::vector<Box>& detections, double steady);

  const std::vector<Track>& tracks() const { return tracks_; }  ///< in order of their birth
  int64_t born() const { return last_id_; }                     ///< numbers given so far

 private:
  std::vector<Track> tracks_;
  int64_t last_id_ = 0;
};

}  // namespace fercli
