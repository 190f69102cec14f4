#pragma once

#include <torch/types.h>

#include <array>
#include <cstdint>

namespace fercli {

/// A rectangle in a picture, in pixels: the left upper corner and the size. It may stick out of the picture.
struct Box {
  double x = 0, y = 0, width = 0, height = 0;

  double centre_x() const { return x + width / 2; }
  double centre_y() const { return y + height / 2; }
  double area() const { return width * height; }
};

/// Shared area over joint area, 0 to 1.
double intersection_over_union(const Box& a, const Box& b);

/// The square that the network sees of a face that a detector put into `face` (the usual box from the brows' top to
/// the chin). It is a little larger and lower than the box, so that the eyes stand at 38 % and the mouth at 76 % of its
/// height, as in FER2013's images; measured on drawn portraits with OpenCV's cascades.
Box face_square(const Box& face);

/// The box whose `face_square` has the eyes and the mouth at those heights, for detectors that find them. The points
/// (x,y), in pixels: midway between the eyes, and between the corners of the mouth.
Box face_between(const std::array<double, 2>& eyes, const std::array<double, 2>& mouth);

/// The largest square in the middle of a picture: what is seen of an image that is a face crop already.
Box centre_square(int64_t height, int64_t width);

/// How a stretch of a line of `input` pixels, [begin, begin + length), becomes `output` pixels: float32 (output,input),
/// rows sum to 1. Area averaging when it shrinks, linear interpolation when it grows; pixels beyond the ends repeat the
/// border. The crop of a picture P (H,W) is R P C^T with the matrices of its rows and columns, rounded: a linear map,
/// through which an attack on the whole picture can send its gradient.
torch::Tensor resampling_matrix(double begin, double length, int64_t input, int64_t output);

/// uint8 (C,H,W) in any memory layout -> uint8 (C,size,size). The one way from a picture to a network input; a square
/// that is the whole picture at its own size gives the same pixels. Throws std::invalid_argument on an empty square or
/// picture.
torch::Tensor crop_square(const torch::Tensor& picture, const Box& square, int64_t size);

}  // namespace fercli
