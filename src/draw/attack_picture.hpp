#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "eval/attack_evaluation.hpp"

namespace fercli {

/// What the pictures say besides the images.
struct PictureTexts {
  std::vector<std::string> classes;  ///< names in the order of the probabilities
  std::string attack;                ///< "pgd, Linf eps 8/255"
  std::string language = "en";       ///< "en" or "fr"
};

/// The two faces, enlarged, with class and confidence in large letters; between them what was added, amplified by the
/// largest whole factor that does not clip, which is written; below, the probabilities of all classes before and after,
/// in the colours of the emotions, and the distances. Returns uint8 (3,H,W).
torch::Tensor draw_attack(const AttackedImage& image, const PictureTexts& texts);

/// Pairs original | adversarial with class and confidence, up to `kGalleryImages`, in the given order. uint8 (3,H,W).
torch::Tensor draw_gallery(const std::vector<AttackedImage>& images, const PictureTexts& texts);

constexpr size_t kGalleryImages = 24;

/// The whole factor by which a native image is enlarged for the eye.
int64_t display_factor(const torch::Tensor& image);

}  // namespace fercli
