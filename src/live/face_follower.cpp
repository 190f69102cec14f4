#include "live/face_follower.hpp"

#include <cmath>

namespace fercli {

namespace {

/// Sides of the search region around a known face, and the sizes looked for there, as factors on its side.
constexpr double kAround = 1.6, kSmaller = 0.75, kLarger = 1.35;
/// Two finds that overlap so much are one face.
constexpr double kSame = 0.35;
/// Faces of one band differ in size by at most this factor.
constexpr double kBandWidth = 1.9;

bool is_known(const std::vector<Box>& found, const Box& box) {
  for (const Box& other : found) {
    if (intersection_over_union(other, box) > kSame) return true;
  }
  return false;
}

void add_new(std::vector<Box>& found, const std::vector<Box>& more) {
  for (const Box& box : more) {
    if (!is_known(found, box)) found.push_back(box);
  }
}

Box enlarged(const Box& box, double factor) {
  return {box.centre_x() - factor * box.width / 2, box.centre_y() - factor * box.height / 2, factor * box.width,
          factor * box.height};
}

/// Of several finds around one face, the one that overlaps its last place most.
const Box& nearest(const std::vector<Box>& boxes, const Box& place) {
  size_t best = 0;
  for (size_t i = 1; i < boxes.size(); ++i) {
    if (intersection_over_union(boxes[i], place) > intersection_over_union(boxes[best], place)) best = i;
  }
  return boxes[best];
}

}  // namespace

void FaceFollower::look_around_known(const Picture& picture, std::vector<Box>& found) {
  for (const Track& track : tracker_.tracks()) {
    const double side = track.box.width;
    const auto boxes = detector_->find(picture, {enlarged(track.box, kAround), side * kSmaller, side * kLarger});
    if (!boxes.empty()) add_new(found, {nearest(boxes, track.box)});
  }
}

void FaceFollower::look_for_new(const Picture& picture, std::vector<Box>& found) {
  FaceSearch search = detector_->everywhere(picture);
  const auto bands =
      std::max<int64_t>(1, std::lround(std::log(search.largest / search.smallest) / std::log(kBandWidth)));
  const double width = std::pow(search.largest / search.smallest, 1.0 / static_cast<double>(bands));
  band_ = (band_ + 1) % bands;
  search.smallest *= std::pow(width, static_cast<double>(band_));
  search.largest = search.smallest * width;
  add_new(found, detector_->find(picture, search));
}

std::vector<Track> FaceFollower::follow(const Picture& picture) {
  std::vector<Box> found;
  if (detector_->cheap_in_regions()) {
    look_around_known(picture, found);
    look_for_new(picture, found);
  } else {
    found = detector_->find_all(picture);
  }
  std::vector<Track> shown;
  for (const Track& track : tracker_.update(found, steady_)) {
    if (track.confirmed() && track.lost <= kCoast) shown.push_back(track);
  }
  return shown;
}

}  // namespace fercli
