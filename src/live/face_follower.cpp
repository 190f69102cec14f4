#include "live/face_follower.hpp"

#include <algorithm>
#include <cmath>

namespace fercli {

namespace {

/// Sides of the search region around a known face, and the sizes looked for there, as factors on its side.
constexpr double kAround = 1.6, kSmaller = 0.65, kLarger = 1.55;
/// Two finds that overlap so much are one face.
constexpr double kSame = 0.35;
/// By how much another face must be larger to take the place of one that is followed.
constexpr double kFollowedCounts = 1.5;
/// Faces of one band differ in size by at most this factor.
constexpr double kBandWidth = 1.9;
/// A band reaches so far into the next: a detector needs to find a face at several sizes, and large ones cost little.
constexpr double kBandOverlap = 1.35;

bool is_known(const std::vector<Detection>& found, const Box& box) {
  return std::any_of(found.begin(), found.end(),
                     [&](const auto& other) { return intersection_over_union(other.box, box) > kSame; });
}

void add_new(std::vector<Detection>& found, const std::vector<Detection>& more) {
  for (const auto& face : more) {
    if (!is_known(found, face.box)) found.push_back(face);
  }
}

Box enlarged(const Box& box, double factor) {
  return {box.centre_x() - factor * box.width / 2, box.centre_y() - factor * box.height / 2, factor * box.width,
          factor * box.height};
}

/// Of several finds around one face, the one that overlaps its last place most.
const Detection& nearest(const std::vector<Detection>& faces, const Box& place) {
  return *std::max_element(faces.begin(), faces.end(), [&](const auto& a, const auto& b) {
    return intersection_over_union(a.box, place) < intersection_over_union(b.box, place);
  });
}

/// The `most` largest (0: all). One that was in the frame before counts more, so that two of a size do not take turns.
std::vector<Detection> keep_largest(std::vector<Detection> found, const std::vector<Track>& tracks, int64_t most) {
  if (most <= 0) return found;
  const auto weight = [&](const Detection& face) {
    const bool followed = std::any_of(tracks.begin(), tracks.end(), [&](const Track& track) {
      return track.lost == 0 && intersection_over_union(track.box, face.box) > kSame;
    });
    return face.box.area() * (followed ? kFollowedCounts : 1);
  };
  std::stable_sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return weight(a) > weight(b); });
  if (static_cast<int64_t>(found.size()) > most) found.resize(static_cast<size_t>(most));
  return found;
}

/// A face that was not found in this frame stands in the place of one that was: it is hidden behind it.
bool is_behind_another(const Track& track, const std::vector<Track>& tracks) {
  return track.lost > 0 && std::any_of(tracks.begin(), tracks.end(), [&](const Track& other) {
           return other.lost == 0 && intersection_over_union(track.box, other.box) > kSame;
         });
}

}  // namespace

void FaceFollower::look_around_known(const Picture& picture, std::vector<Detection>& found) {
  for (const Track& track : tracker_.tracks()) {
    const double side = track.box.width;
    const Box place = expected_place(track);
    const auto faces = detector_->detect(picture, {enlarged(place, kAround), side * kSmaller, side * kLarger});
    if (!faces.empty()) add_new(found, {nearest(faces, place)});
  }
}

void FaceFollower::look_for_new(const Picture& picture, std::vector<Detection>& found) {
  FaceSearch search = detector_->everywhere(picture);
  const auto bands =
      std::max<int64_t>(1, std::lround(std::log(search.largest / search.smallest) / std::log(kBandWidth)));
  const double width = std::pow(search.largest / search.smallest, 1.0 / static_cast<double>(bands));
  band_ = (band_ + 1) % bands;
  search.smallest *= std::pow(width, static_cast<double>(band_));
  search.largest = std::min(search.largest, search.smallest * width * kBandOverlap);
  add_new(found, detector_->detect(picture, search));
}

void FaceFollower::pass(const Picture& picture) {
  if (cuts_.is_cut(picture)) tracker_.forget_all();
}

std::vector<Track> FaceFollower::follow(const Picture& picture, double time) {
  pass(picture);
  std::vector<Detection> found;
  if (detector_->cheap_in_regions() && !how_.whole_pictures) {
    look_around_known(picture, found);
    look_for_new(picture, found);
  } else {
    found = detector_->detect(picture, detector_->everywhere(picture));
  }
  found = keep_largest(std::move(found), tracker_.tracks(), detector_->most());
  std::vector<Sighting> sightings;
  for (const auto& face : found) sightings.emplace_back(face, appearance_of(picture, face.box));
  const double elapsed = time_ ? std::max(0.0, time - *time_) : 0;
  time_ = time;
  const auto& tracks = tracker_.update(sightings, how_.steady, elapsed);
  std::vector<Track> shown;
  for (const Track& track : tracks) {
    if (track.confirmed() && track.lost <= how_.coast && !is_behind_another(track, tracks)) shown.push_back(track);
  }
  return shown;
}

}  // namespace fercli
