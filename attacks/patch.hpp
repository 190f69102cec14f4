#pragma once

#include <torch/types.h>

#include <functional>
#include <string>
#include <vector>

#include "attacks/threat/threat_model.hpp"
#include "core/random.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// "glasses" (a broad frame around the eyes), "sticker" (a disc on the cheek), "band" (across the forehead).
const std::vector<std::string>& patch_shape_names();

/// A picture to be printed and worn. Its canvas is a square of `size` (share of the crop's side) around (x, y) of a
/// face crop of the usual framing, before placement.
struct Patch {
  std::string shape;
  double x = 0.5, y = 0.5, size = 1;
  torch::Tensor pixels;  ///< uint8 (C,S,S)
  torch::Tensor cover;   ///< (S,S) float32: 1 where there is material, else 0
};

/// An even grey patch for crops of this size. Throws UserError on an unknown shape.
Patch blank_patch(const std::string& shape, int64_t channels, int64_t crop_size);

/// The same patch with random pixels: what covering this much of the face does by itself.
Patch random_patch(const Patch& like, const Rng& rng);

/// How far a wearer, a camera and the light may differ from the plan; every placement is drawn evenly within.
struct PlacementSpread {
  double shift = 0.03;       ///< of the crop's side, in x and y
  double scale = 0.08;       ///< factor 1 - scale … 1 + scale
  double turn = 6;           ///< degrees
  double brightness = 0.15;  ///< factor 1 - b … 1 + b, and an offset of half as much

  PlacementSpread times(double factor) const {
    return {shift * factor, scale * factor, turn * factor, brightness * factor};
  }
};

/// The patch on each image, placed by `rng.split(index[i])`: uint8 (N,C,H,W) -> the same, H = W.
torch::Tensor wear(const Patch& patch, const torch::Tensor& images, const PlacementSpread& spread, const Rng& rng,
                   const std::vector<int64_t>& index);

struct PatchSettings {
  int64_t steps = 300;
  int64_t images_per_step = 64;
  double step_size = 0.05;  ///< Adam's first, pixels in [0,1]; it falls to 0 along a cosine
  PlacementSpread spread = {};
  std::function<void(int64_t step, double loss)> progress = {};
};

/// Learns the pixels that bring as many of these images as can be to their goals, wherever within the spread the patch
/// sits: Brown et al., "Adversarial patch", arXiv:1712.09665 (expectation over transformations: Athalye et al.,
/// arXiv:1707.07397; glasses: Sharif et al., "Accessorize to a crime", CCS 2016). Each image of a step gets a placement
/// of its own; the gradient of the summed margins goes back through it in closed form. images: uint8 (N,C,S,S). Noise
/// is keyed by `rng`; the network's batch size changes nothing. Throws UserError: no images, images that
/// are not square, unknown shape; Interrupted.
Patch learn_patch(const Classifier& classifier, const std::string& shape, const PatchSettings& settings,
                  const torch::Tensor& images, const Goal& goal, const Rng& rng);

/// The patch to print: uint8 (C,S,S), white where there is no material.
torch::Tensor printable(const Patch& patch);

}  // namespace fercli
