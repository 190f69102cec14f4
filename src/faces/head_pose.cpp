#include "faces/head_pose.hpp"

#include <algorithm>
#include <cmath>
#include <opencv2/calib3d.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "faces/mat.hpp"

namespace fercli {

namespace {

constexpr double kDegrees = 180 / 3.14159265358979323846;
constexpr const char* kEyeCascade = "haarcascade_eye_tree_eyeglasses.xml";
/// The face is brought to so many pixels, in which an eye has the 20 or more that the cascade wants.
constexpr int kEyeFace = 120, kLeastEye = 20, kEyeNeighbours = 2;
/// A head that is turned further has no two eyes in sight.
constexpr double kMostDegrees = 80;

/// A face that looks into the camera, in millimetres from the middle between its eyes; x to the right of the picture, y
/// down, z away from the camera. Eyes 63 apart (the usual distance of adults' pupils); nose and mouth below them in the
/// proportions of the mean face to which ArcFace aligns (Deng et al. 2019); the nose's tip 28 before the eyes.
const std::vector<cv::Point3d> kUsualFace{{-31.5, 0, 0}, {31.5, 0, 0}, {0, 36, -28}, {-26, 73, -6}, {26, 73, -6}};

cv::Point2d point_of(const std::array<double, 2>& point) {
  return {point[0], point[1]};
}

}  // namespace

HeadPose head_pose_of_eyes(const std::array<double, 2>& left, const std::array<double, 2>& right) {
  return {std::atan2(right[1] - left[1], right[0] - left[0]) * kDegrees, {}, {}};
}

std::optional<HeadPose> head_pose(const FacePoints& points, int64_t height, int64_t width) {
  const std::vector<cv::Point2d> seen{point_of(points.left_eye), point_of(points.right_eye), point_of(points.nose),
                                      point_of(points.left_mouth), point_of(points.right_mouth)};
  const double focal = static_cast<double>(std::max(height, width));
  const double apart = std::hypot(seen[1].x - seen[0].x, seen[1].y - seen[0].y);
  const double tall =
      std::hypot(seen[3].x + seen[4].x - seen[0].x - seen[1].x, seen[3].y + seen[4].y - seen[0].y - seen[1].y) / 2;
  if (!(apart > 0) || !(tall > 0)) return {};
  const cv::Matx33d camera(focal, 0, static_cast<double>(width) / 2, 0, focal, static_cast<double>(height) / 2, 0, 0,
                           1);
  // Begins with a face in this place and of this size that is only tilted.
  const double far = focal * std::min(63 / apart, 73 / tall);
  cv::Vec3d rotation(0, 0, std::atan2(seen[1].y - seen[0].y, seen[1].x - seen[0].x));
  cv::Vec3d place((seen[0].x + seen[1].x - static_cast<double>(width)) / 2 * far / focal,
                  (seen[0].y + seen[1].y - static_cast<double>(height)) / 2 * far / focal, far);
  try {
    if (!cv::solvePnP(kUsualFace, seen, camera, cv::noArray(), rotation, place, true, cv::SOLVEPNP_ITERATIVE))
      return {};
  } catch (const cv::Exception&) {
    return {};
  }
  cv::Matx33d turned;
  cv::Rodrigues(rotation, turned);
  // turned = Ry(yaw) Rx(pitch) Rz(roll)
  const double yaw = std::atan2(-turned(0, 2), turned(2, 2)) * kDegrees;
  const double pitch = std::asin(std::clamp(-turned(1, 2), -1.0, 1.0)) * kDegrees;
  const double roll = std::atan2(turned(1, 0), turned(1, 1)) * kDegrees;
  if (!std::isfinite(yaw + pitch + roll) || place[2] <= 0 || std::abs(yaw) > kMostDegrees) return {};
  return HeadPose{roll, yaw, pitch};
}

struct EyeFinder::Cascade {
  cv::CascadeClassifier eyes;
  cv::Mat small;
};

EyeFinder::EyeFinder() : cascade_(std::make_unique<Cascade>()) {
  const auto file = find_cascade(kEyeCascade);
  if (!file.empty()) cascade_->eyes.load(file.string());
}

EyeFinder::~EyeFinder() = default;

std::optional<HeadPose> EyeFinder::pose(const Picture& picture, const Box& face) {
  cv::Rect upper = as_rect({face.x, face.y + 0.15 * face.height, face.width, 0.45 * face.height});
  upper &= cv::Rect(0, 0, static_cast<int>(picture.width()), static_cast<int>(picture.height()));
  if (cascade_->eyes.empty() || upper.width < kLeastEye || upper.height < kLeastEye / 2) return {};
  const double scale = std::max(1.0, kEyeFace / std::max(face.width, 1.0));
  cv::resize(as_mat(picture.grey)(upper), cascade_->small, {}, scale, scale, cv::INTER_LINEAR);
  std::vector<cv::Rect> found;
  cascade_->eyes.detectMultiScale(cascade_->small, found, 1.1, kEyeNeighbours, 0, {kLeastEye, kLeastEye});
  const cv::Rect *left = nullptr, *right = nullptr;
  for (const auto& eye : found) {
    const bool on_left = eye.x + eye.width / 2.0 < cascade_->small.cols / 2.0;
    const cv::Rect*& side = on_left ? left : right;
    if (side == nullptr || eye.area() > side->area()) side = &eye;
  }
  if (left == nullptr || right == nullptr) return {};
  const auto middle = [](const cv::Rect& eye) {
    return std::array<double, 2>{eye.x + eye.width / 2.0, eye.y + eye.height / 2.0};
  };
  return head_pose_of_eyes(middle(*left), middle(*right));
}

std::optional<HeadPose> head_pose(const Detection& face, const Picture& picture, EyeFinder& eyes) {
  if (!face.points) return eyes.pose(picture, face.box);
  if (auto pose = head_pose(*face.points, picture.height(), picture.width())) return pose;
  return head_pose_of_eyes(face.points->left_eye, face.points->right_eye);
}

}  // namespace fercli
