#pragma once

#include <memory>
#include <optional>

#include "faces/face_detector.hpp"

namespace fercli {

/// How a head is turned, in degrees, as the picture shows it; all are 0 for a face that looks into the camera.
struct HeadPose {
  double roll = 0;              ///< tilted clockwise
  std::optional<double> yaw;    ///< turned to the right edge of the picture; none: only the eyes are known
  std::optional<double> pitch;  ///< turned down
};

/// From five points, by OpenCV's solvePnP with a rigid face of usual measures, seen by a camera whose focal length is
/// the picture's longer side (a view of about 53 degrees). The shape of the face is not known, so that yaw and pitch
/// are rough: pitch is off by some degrees for noses and chins that are not the usual ones. None where no pose fits, or
/// the eyes lie in one place.
std::optional<HeadPose> head_pose(const FacePoints& points, int64_t height, int64_t width);

/// From the eyes alone.
HeadPose head_pose_of_eyes(const std::array<double, 2>& left, const std::array<double, 2>& right);

/// Finds the eyes of faces whose detector gives no points, with OpenCV's cascade for eyes. Not for use by several
/// threads at once.
class EyeFinder {
 public:
  EyeFinder();  ///< without the cascade, which comes with that of faces, it finds none
  ~EyeFinder();

  /// The pose that the eyes in the upper half of this box tell; none unless one is found on each side.
  std::optional<HeadPose> pose(const Picture& picture, const Box& face);

 private:
  struct Cascade;
  std::unique_ptr<Cascade> cascade_;
};

/// Of a face that was found: by its points, else by its eyes.
std::optional<HeadPose> head_pose(const Detection& face, const Picture& picture, EyeFinder& eyes);

}  // namespace fercli
