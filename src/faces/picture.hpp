#pragma once

#include <torch/types.h>

namespace fercli {

/// A photograph or a frame of a video, in the layout that cameras deliver and detectors read.
struct Picture {
  torch::Tensor bgr;   ///< uint8 (H,W,3), blue first, contiguous
  torch::Tensor grey;  ///< uint8 (H,W), ITU-R 601

  int64_t height() const { return bgr.size(0); }
  int64_t width() const { return bgr.size(1); }
};

/// Adds the grey version. bgr: uint8 (H,W,3), contiguous.
Picture make_picture(torch::Tensor bgr);

/// From the program's usual layout: uint8 (C,H,W), RGB or grey.
Picture picture_of_image(const torch::Tensor& image);

/// uint8 (H,W,3) blue first -> (3,H,W) RGB, for `write_png`.
torch::Tensor image_of_bgr(const torch::Tensor& bgr);

}  // namespace fercli
