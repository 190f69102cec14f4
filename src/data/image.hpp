#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "data/pictures/decoders.hpp"

namespace fercli {

/// The border to OpenCV and to the decoders: everything else in the program sees images as uint8 tensors (C,H,W), RGB
/// order.

/// Decodes PNG, JPEG, WEBP, GIF, BMP, TIFF and PNM, turned upright where the file says how it lies, of an animation its
/// first frame; `channels` 1 converts to grey (ITU-R 601), 3 to RGB. Throws UserError when the file is missing,
/// PictureRefused (a UserError) when it is not an image or goes beyond the limits of `DecodeLimits`.
torch::Tensor read_image(const std::filesystem::path& path, int64_t channels);

/// The same from bytes in memory; `name` is for the message. Throws Late when the thread's Deadline passes on the way.
torch::Tensor decode_image(std::string_view bytes, int64_t channels, const std::string& name,
                           const DecodeLimits& limits = {});

/// By its extension, in any case; also of formats that are refused with a sentence.
bool has_image_extension(const std::filesystem::path& path);

/// "PNG", "JPEG", …, also of formats that are not read; "" for no image.
std::string image_format(std::string_view bytes);

/// size×size; area averaging when shrinking, bicubic when enlarging.
torch::Tensor resize_image(const torch::Tensor& image, int64_t height, int64_t width);

/// Grey (1) to RGB (3) by repetition, RGB to grey by ITU-R 601.
torch::Tensor convert_channels(const torch::Tensor& image, int64_t channels);

/// Nearest neighbour by a whole factor: pixels stay visible squares.
torch::Tensor enlarge_image(const torch::Tensor& image, int64_t factor);

/// The bytes of a lossless PNG file.
std::string encode_png(const torch::Tensor& image);

/// The bytes of a JPEG file of this quality, 0 to 100.
std::string encode_jpeg(const torch::Tensor& image, int64_t quality);

/// Lossless PNG, by rename.
void write_png(const torch::Tensor& image, const std::filesystem::path& path);

}  // namespace fercli
