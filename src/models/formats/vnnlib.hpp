#pragma once

#include <torch/types.h>

#include <string>

namespace fercli {

/// What a complete verifier is asked about one image, as a VNN-LIB file (the form of the VNN-COMP competitions): inputs
/// X_0 … are the pixels of (C,H,W) in that order, within eps of the image and in [0,1]; outputs Y_0 … are the logits;
/// what is to be refuted is that another class's logit reaches the label's. image: (C,H,W), pixels in [0,1]; bounds are
/// written to 12 decimals. comment: one line, for people.
std::string vnnlib_specification(const torch::Tensor& image, double eps, int64_t label, int64_t classes,
                                 const std::string& comment);

}  // namespace fercli
