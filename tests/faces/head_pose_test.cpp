#include "faces/head_pose.hpp"

#include <cmath>

#include "data/drawn/face.hpp"
#include "faces/picture.hpp"

namespace fercli {
namespace {

constexpr double kRadians = 3.14159265358979323846 / 180;

using Point = std::array<double, 3>;

Point turned(Point p, double roll, double yaw, double pitch) {
  const auto turn = [](double& a, double& b, double degrees) {
    const double c = std::cos(degrees * kRadians), s = std::sin(degrees * kRadians), old = a;
    a = c * old - s * b;
    b = s * old + c * b;
  };
  turn(p[0], p[1], roll);   // x right, y down: clockwise in the picture
  turn(p[1], p[2], pitch);  // the nose, before the eyes, goes down
  turn(p[2], p[0], -yaw);   // and to the right
  return p;
}

/// The five points of a usual face, as a camera 1.5 m away sees them in a picture of 640x480.
FacePoints seen(double roll, double yaw, double pitch) {
  const auto project = [&](const Point& p) {
    const Point q = turned(p, roll, yaw, pitch);
    return std::array<double, 2>{380 + 640 * q[0] / (1500 + q[2]), 200 + 640 * q[1] / (1500 + q[2])};
  };
  return {project({-31.5, 0, 0}), project({31.5, 0, 0}), project({0, 36, -28}), project({-26, 73, -6}),
          project({26, 73, -6})};
}

TEST(TheHeadPose, IsFoundFromFivePoints) {
  for (const auto& [roll, yaw, pitch] : std::vector<std::array<double, 3>>{
           {0, 0, 0}, {20, 0, 0}, {-35, 0, 0}, {0, 30, 0}, {0, -30, 0}, {0, 0, 20}, {0, 0, -20}, {10, 25, -15}}) {
    const auto pose = head_pose(seen(roll, yaw, pitch), 480, 640);
    ASSERT_TRUE(pose) << roll << " " << yaw << " " << pitch;
    EXPECT_NEAR(pose->roll, roll, 6) << roll << " " << yaw << " " << pitch;
    EXPECT_NEAR(pose->yaw.value(), yaw, 6) << roll << " " << yaw << " " << pitch;
    EXPECT_NEAR(pose->pitch.value(), pitch, 6) << roll << " " << yaw << " " << pitch;
  }
}

TEST(TheHeadPose, IsTheTiltOfTheEyesWhereNothingElseIsKnown) {
  const HeadPose pose = head_pose_of_eyes({100, 100}, {150, 100 + 50 * std::tan(12 * kRadians)});
  EXPECT_NEAR(pose.roll, 12, 1e-6);
  EXPECT_FALSE(pose.yaw || pose.pitch);
  FacePoints nowhere{};
  EXPECT_FALSE(head_pose(nowhere, 480, 640)) << "all points in one place";
}

TEST(TheHeadPose, OfACascadesFaceIsFoundByItsEyes) {
  EyeFinder eyes;
  const auto detector = make_face_detector("haar");
  int64_t faces = 0, known = 0, near = 0;
  for (const uint64_t person : {1, 2, 3, 4, 5, 6}) {
    FaceParameters face = random_face("Neutral", Rng(person));
    face.framing = Framing::Portrait;
    face.identity.glasses = 0;
    for (const double degrees : {-10.0, 0.0, 10.0}) {
      face.pose = {0, 0, degrees, 1, 0, 0};
      const Picture picture = picture_of_image(draw_face(face, 240, 3));
      for (const auto& found : detector->detect_all(picture)) {
        const auto pose = head_pose(found, picture, eyes);
        ++faces;
        known += pose.has_value();
        near += pose && std::abs(pose->roll - degrees) < 6;
      }
    }
  }
  EXPECT_GE(faces, 12);
  EXPECT_GE(known, faces / 3);
  EXPECT_GE(near, known * 2 / 3);
}

}  // namespace
}  // namespace fercli
