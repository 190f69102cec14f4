#include "live/tracker.hpp"

#include <algorithm>
#include <cmath>

namespace fercli {

namespace {

/// Centres nearer than this share of the faces' side belong together even without overlap.
constexpr double kNear = 0.8;
/// A match may grow or shrink a face by this factor.
constexpr double kGrowth = 1.7;

struct Pair {
  double likeness;
  size_t track, detection;
};

/// Over 0 where the two may be one face: 1 to 2 by overlap, under 1 by nearness alone.
double likeness(const Box& a, const Box& b) {
  const double side = (a.width + b.width) / 2;
  if (a.width > b.width * kGrowth || b.width > a.width * kGrowth || side <= 0) return 0;
  const double overlap = intersection_over_union(a, b);
  if (overlap > 0) return 1 + overlap;
  const double distance = std::hypot(a.centre_x() - b.centre_x(), a.centre_y() - b.centre_y()) / side;
  return distance < kNear ? 1 - distance : 0;
}

std::vector<Pair> likely_pairs(const std::vector<Track>& tracks, const std::vector<Box>& detections) {
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks.size(); ++t) {
    for (size_t d = 0; d < detections.size(); ++d) {
      const double value = likeness(tracks[t].box, detections[d]);
      if (value > 0) pairs.push_back({value, t, d});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.likeness > b.likeness; });
  return pairs;
}

Box between(const Box& from, const Box& to, double share) {
  const auto mix = [share](double a, double b) { return a + (b - a) * share; };
  return {mix(from.x, to.x), mix(from.y, to.y), mix(from.width, to.width), mix(from.height, to.height)};
}

}  // namespace

const std::vector<Track>& Tracker::update(const std::vector<Box>& detections, double steady) {
  for (auto& track : tracks_) ++track.lost;
  std::vector<bool> used(detections.size(), false);
  for (const Pair& pair : likely_pairs(tracks_, detections)) {
    Track& track = tracks_[pair.track];
    if (track.lost == 0 || used[pair.detection]) continue;
    used[pair.detection] = true;
    const bool long_lost = track.lost > 1;
    track.lost = 0;
    ++track.hits;
    track.box = between(track.box, detections[pair.detection], long_lost ? 1 : 1 - steady);
  }
  for (auto& track : tracks_) {
    if (!track.confirmed() && track.hits >= kConfirm) track.id = ++last_id_;
  }
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(),
                               [](const Track& t) { return t.lost > (t.confirmed() ? kForget : 1); }),
                tracks_.end());
  for (size_t d = 0; d < detections.size(); ++d) {
    const bool doubled = std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& track) {
      return intersection_over_union(track.box, detections[d]) > 0.3;
    });
    if (!used[d] && !doubled) tracks_.push_back({0, detections[d], 1, 0});
  }
  return tracks_;
}

}  // namespace fercli
