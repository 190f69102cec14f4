#pragma once
// For the .cpp files that call OpenCV; no header includes it.
#include <torch/types.h>

#include <opencv2/core.hpp>

#include "faces/face_crop.hpp"

namespace fercli {

/// The same memory as a matrix: uint8 (H,W) or (H,W,3). The tensor must outlive it.
inline cv::Mat as_mat(const torch::Tensor& pixels) {
  const int channels = pixels.dim() == 3 ? static_cast<int>(pixels.size(2)) : 1;
  return {static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC(channels),
          pixels.data_ptr<uint8_t>()};
}

/// A copy: CV_8UC1 -> (H,W), CV_8UC3 -> (H,W,3).
inline torch::Tensor as_tensor(const cv::Mat& mat) {
  auto pixels = mat.channels() == 1 ? torch::empty({mat.rows, mat.cols}, torch::kUInt8)
                                    : torch::empty({mat.rows, mat.cols, mat.channels()}, torch::kUInt8);
  mat.copyTo(as_mat(pixels));
  return pixels;
}

inline cv::Rect as_rect(const Box& box) {
  return {cvRound(box.x), cvRound(box.y), cvRound(box.width), cvRound(box.height)};
}

}  // namespace fercli
