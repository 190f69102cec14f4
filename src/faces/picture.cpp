#include "faces/picture.hpp"

#include <opencv2/imgproc.hpp>

#include "data/image.hpp"
#include "faces/mat.hpp"

namespace fercli {

Picture make_picture(torch::Tensor bgr) {
  auto grey = torch::empty({bgr.size(0), bgr.size(1)}, torch::kUInt8);
  cv::Mat target = as_mat(grey);
  cv::cvtColor(as_mat(bgr), target, cv::COLOR_BGR2GRAY);
  return {std::move(bgr), std::move(grey)};
}

Picture picture_of_image(const torch::Tensor& image) {
  return make_picture(convert_channels(image, 3).flip({0}).permute({1, 2, 0}).contiguous());
}

torch::Tensor image_of_bgr(const torch::Tensor& bgr) {
  return bgr.permute({2, 0, 1}).flip({0}).contiguous();
}

}  // namespace fercli
