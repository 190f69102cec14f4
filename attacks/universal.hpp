#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <string>

#include "attacks/threat/threat_model.hpp"
#include "core/random.hpp"
#include "models/classifier.hpp"

namespace fercli {

/// One change for all images, in whole levels of 1/255, so that 8-bit images hold its sum with theirs exactly.
struct UniversalPerturbation {
  torch::Tensor levels;  ///< (C,H,W) int16, -255 … 255
  Norm norm = Norm::Linf;
  double eps = 0;             ///< |levels|_norm <= 255 eps
  std::string goal;           ///< "any-to-sad"
  std::string model, digest;  ///< the network it was learnt on; "" when not known
  torch::Tensor mask = {};    ///< (C,H,W) float32, 0 or 1: what could change; undefined: everything
};

struct UniversalSettings {
  int64_t steps = 200;
  int64_t images_per_step = 64;
  double alpha = 0;         ///< first step size in the norm's units; 0: eps / 4. It falls to 0 along a cosine
  std::string loss;         ///< "ce", "dlr", "margin"; "": margin
  torch::Tensor mask = {};  ///< (C,H,W) 0 or 1: what may change; undefined: everything
  std::function<void(int64_t step, double loss)> progress = {};
};

/// Learns one perturbation that brings as many of these images as it can to their goals. images: uint8 (N,C,H,W).
/// Minibatch descent on the summed losses with momentum (SGD-UAP: Shafahi et al., "Universal adversarial training",
/// arXiv:1811.11304; the problem: Moosavi-Dezfooli et al., arXiv:1610.08401): Linf by signs, L2 by the normalised
/// gradient, projected after each step. An image that has passed its goal by a margin pulls no more, in place of the
/// paper's clipped loss. Pixels change by at most 127 levels. The order of the images is keyed by `rng`; the network's
/// batch size changes nothing. Throws UserError: no images, eps out of range; Interrupted.
UniversalPerturbation learn_universal(const Classifier& classifier, const ThreatModel& threat,
                                      const UniversalSettings& settings, const torch::Tensor& images, const Goal& goal,
                                      const Rng& rng);

/// uint8 (N,C,H,W): images + levels, cut at 0 and 255.
torch::Tensor add_universal(const torch::Tensor& images, const torch::Tensor& levels);

/// Random signs of size eps in Linf, a random direction of length eps in L2: what any perturbation of this size does.
/// Shaped, masked and rounded like `like`.
torch::Tensor random_levels(const UniversalPerturbation& like, const Rng& rng);

/// As NAME.pt (a container of kind "perturbation") and NAME.png (128 + levels).
void save_universal(const UniversalPerturbation& perturbation, const std::filesystem::path& file);

/// From the .pt file. Throws UserError.
UniversalPerturbation load_universal(const std::filesystem::path& file);

}  // namespace fercli
