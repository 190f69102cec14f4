#pragma once
// What the detectors do alike. For .cpp files: it brings OpenCV.
#include <algorithm>
#include <vector>

#include "faces/face_detector.hpp"
#include "faces/mat.hpp"

namespace fercli {

/// The part of a picture to be searched, shrunk until the smallest face wanted has `face` pixels.
struct ShrunkRegion {
  ShrunkRegion(const Picture& picture, const FaceSearch& search, double face)
      : region(as_rect(search.region) &
               cv::Rect(0, 0, static_cast<int>(picture.width()), static_cast<int>(picture.height()))) {
    const double shrink = std::max(1.0, search.smallest / face);
    size = {cvRound(region.width / shrink), cvRound(region.height / shrink)};
    if (size.empty()) return;
    x_scale = static_cast<double>(region.width) / size.width;
    y_scale = static_cast<double>(region.height) / size.height;
  }

  cv::Rect region;  ///< in the picture's pixels; empty if it lies outside
  cv::Size size;
  double x_scale = 1, y_scale = 1;  ///< from shrunk pixels to the picture's
};

inline std::vector<Detection> from_left_to_right(std::vector<Detection> faces) {
  std::sort(faces.begin(), faces.end(), [](const auto& a, const auto& b) { return a.box.x < b.box.x; });
  return faces;
}

}  // namespace fercli
