#pragma once

#include <array>
#include <vector>

#include "faces/face_detector.hpp"
#include "live/appearance.hpp"

namespace fercli {

/// A face that was found, and what the person looks like.
struct Sighting {
  Sighting(const Box& box) : face{box} {}  // NOLINT: a box is a sighting of which no more is known
  Sighting(const Detection& found, const Appearance& colours) : face(found), look(colours) {}

  Detection face;
  Appearance look{};
};

/// One face followed through a video.
struct Track {
  int64_t id = 0;                        ///< from 1, never used twice; 0 while the face is not confirmed
  Box box;                               ///< where it was seen last
  int64_t hits = 0;                      ///< frames in which it was found
  int64_t lost = 0;                      ///< frames since it was found last
  Detection face = {};                   ///< as it was found last
  Appearance look = {};                  ///< running mean
  std::array<double, 2> speed = {0, 0};  ///< of its middle, in pixels a second
  double unseen = 0;                     ///< seconds since it was found last

  bool confirmed() const { return id > 0; }
};

/// Gives faces stable numbers. Each face is expected where its movement has taken it; detections are matched to tracks
/// by overlap with that place, else by nearness, and by the colours of the person, best first. A face that is found
/// farther away than it can have gone is another one. It gets its number when it was found in `confirm` frames; it
/// keeps it through kForget frames, and kForgetSeconds, without being found.
class Tracker {
 public:
  static constexpr int64_t kConfirm = 3, kForget = 30;
  static constexpr double kForgetSeconds = 5;

  explicit Tracker(int64_t confirm = kConfirm) : confirm_(confirm) {}

  /// One frame, `elapsed` seconds after the last. `steady` in [0, 1): how far the last box holds back the new one (0:
  /// the box is the detection).
  const std::vector<Track>& update(const std::vector<Sighting>& sightings, double steady, double elapsed = 1 / 30.0);

  /// A hard cut: whoever comes next is someone else.
  void forget_all() { tracks_.clear(); }

  const std::vector<Track>& tracks() const { return tracks_; }  ///< in order of their birth
  int64_t born() const { return last_id_; }                     ///< numbers given so far

 private:
  std::vector<Track> tracks_;
  int64_t confirm_, last_id_ = 0;
};

/// Where the face is to be expected, when it has moved on as before.
Box expected_place(const Track& track);

}  // namespace fercli
