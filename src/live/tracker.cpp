#include "live/tracker.hpp"

#include <algorithm>
#include <cmath>

namespace fercli {

namespace {

/// Centres nearer than this share of the faces' side belong together even without overlap; people go on by so many
/// sides a second.
constexpr double kNear = 0.8, kSidesPerSecond = 2.5;
/// A match may grow or shrink a face by this factor.
constexpr double kGrowth = 1.7;
/// Who is not found where expected must look like before.
constexpr double kAlike = 0.75;
/// How far the latest speed counts, and for how long a face that is hidden goes on as before (seconds).
constexpr double kLatestSpeed = 0.35, kGoesOn = 1;
constexpr float kLatestLook = 0.2F;

struct Pair {
  double likeness;
  size_t track, detection;
};

/// Over 0 where the two may be one face: 1 to 2 by overlap, under 1 by nearness alone, each times the likeness of the
/// colours.
double likeness(const Track& track, const Sighting& sighting) {
  const Box &a = expected_place(track), &b = sighting.face.box;
  const double side = (a.width + b.width) / 2;
  if (a.width > b.width * kGrowth || b.width > a.width * kGrowth || side <= 0) return 0;
  const double alike = alikeness(track.look, sighting.look);
  const double overlap = std::max(intersection_over_union(a, b), 0.7 * intersection_over_union(track.box, b));
  if (overlap > 0) return (1 + overlap) * alike * alike;
  const double distance = std::hypot(a.centre_x() - b.centre_x(), a.centre_y() - b.centre_y()) / side;
  const double reach = kNear + kSidesPerSecond * track.unseen;
  return distance < reach && alike > kAlike ? (1 - distance / reach) * alike * alike : 0;
}

std::vector<Pair> likely_pairs(const std::vector<Track>& tracks, const std::vector<Sighting>& sightings) {
  std::vector<Pair> pairs;
  for (size_t t = 0; t < tracks.size(); ++t) {
    for (size_t d = 0; d < sightings.size(); ++d) {
      const double value = likeness(tracks[t], sightings[d]);
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

/// The track was found as this.
void take_sighting(Track& track, const Sighting& sighting, double steady) {
  const Box& box = sighting.face.box;
  if (track.unseen > 0) {
    const double share = track.hits == 1 ? 1 : kLatestSpeed;
    const std::array<double, 2> speed{(box.centre_x() - track.face.box.centre_x()) / track.unseen,
                                      (box.centre_y() - track.face.box.centre_y()) / track.unseen};
    for (size_t i = 0; i < 2; ++i) track.speed[i] += share * (speed[i] - track.speed[i]);
  }
  for (size_t i = 0; i < track.look.size(); ++i) track.look[i] += kLatestLook * (sighting.look[i] - track.look[i]);
  const bool long_lost = track.lost > 1;
  track.lost = 0;
  track.unseen = 0;
  ++track.hits;
  track.box = between(track.box, box, long_lost ? 1 : 1 - steady);
  track.face = sighting.face;
}

}  // namespace

Box expected_place(const Track& track) {
  const double seconds = std::min(track.unseen, kGoesOn);
  return {track.box.x + track.speed[0] * seconds, track.box.y + track.speed[1] * seconds, track.box.width,
          track.box.height};
}

const std::vector<Track>& Tracker::update(const std::vector<Sighting>& sightings, double steady, double elapsed) {
  for (auto& track : tracks_) {
    ++track.lost;
    track.unseen += elapsed;
  }
  std::vector<bool> used(sightings.size(), false);
  for (const Pair& pair : likely_pairs(tracks_, sightings)) {
    Track& track = tracks_[pair.track];
    if (track.lost == 0 || used[pair.detection]) continue;
    used[pair.detection] = true;
    take_sighting(track, sightings[pair.detection], steady);
  }
  const auto is_forgotten = [](const Track& track) {
    return track.lost > (track.confirmed() ? kForget : 1) || (track.lost > 1 && track.unseen > kForgetSeconds);
  };
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), is_forgotten), tracks_.end());
  for (size_t d = 0; d < sightings.size(); ++d) {
    const Sighting& seen = sightings[d];
    const bool doubled = std::any_of(tracks_.begin(), tracks_.end(), [&](const Track& track) {
      return track.lost == 0 && intersection_over_union(track.box, seen.face.box) > 0.3;
    });
    if (!used[d] && !doubled) tracks_.push_back({0, seen.face.box, 1, 0, seen.face, seen.look});
  }
  for (auto& track : tracks_) {
    if (!track.confirmed() && track.hits >= confirm_) track.id = ++last_id_;
  }
  return tracks_;
}

}  // namespace fercli
