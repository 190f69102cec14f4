#pragma once

#include <torch/types.h>

#include "core/random.hpp"

namespace fercli {

/// Random changes of a training image that leave its expression readable.
struct Augmentation {
  double rotate = 10;      ///< degrees, drawn from ±rotate
  double scale = 0.1;      ///< zoom factor drawn from [1-scale, 1+scale]
  double translate = 0.1;  ///< share of the side, drawn from ±translate in x and y
  double flip = 0.5;       ///< probability of a horizontal flip
  double brightness = 0;   ///< added, drawn from ±brightness (pixels in [0,1])
  double contrast = 0;     ///< factor drawn from [1-contrast, 1+contrast], around the middle grey
  double erase = 0;        ///< probability of random erasing (Zhong et al. 2020): a rectangle of 2–20 % of the area
  int64_t crop = 0;        ///< side of a random window cut out last; 0: the whole image

  static Augmentation none();
};

/// One image, uint8 (C,S,S) contiguous at `source`, to float32 in [0,1] at `target` (C,crop,crop): one bilinear
/// resampling for rotation, scale, shift, flip and crop together (border pixels repeat), then light, then erasing.
void augment_image(const uint8_t* source, float* target, int64_t channels, int64_t size,
                   const Augmentation& augmentation, Rng rng);

}  // namespace fercli
