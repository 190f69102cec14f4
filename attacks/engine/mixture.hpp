#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "models/classifier.hpp"

namespace fercli {

/// One look of a mixture: a network, and what is done to the image before it sees it.
struct MixedView {
  std::shared_ptr<const Classifier> network;
  std::function<torch::Tensor(const torch::Tensor& x)> change =
      {};  ///< (N,C,H,W) to the same, differentiable; none: nothing
};

/// How the answers of a mixture are joined.
enum class Joining {
  Logits,  ///< their mean
  Loss,    ///< the mean of the logarithms of the probabilities: the mean cross-entropy, but for its normalisation
  /// The mean of the logits; the gradient of an image is that of the one network that is farthest from the goal, by the
  /// gradient dlogits of the loss which is descended: the one with the largest sum of dlogits * logits (of the margin,
  /// that is the margin itself).
  Margin
};

Joining parse_joining(const std::string& word);  ///< "logits", "loss", "margin"; throws UserError

/// A classifier of images (C,H,W) of this shape whose logits join those of all views, for attacks to follow: several
/// networks (Liu et al., arXiv:1611.02770), or one network under several changes (expectation over transformation,
/// Athalye et al., arXiv:1707.07397). Classes are those of the first network, found by name in the others. A pass
/// of the mixture counts as one, and in each network of a view as one there. Throws UserError: a network lacks a class;
/// no view.
Classifier mixture(const std::vector<MixedView>& views, Joining joining, const std::vector<int64_t>& shape);

/// Views of one network: its own randomness, or a photograph of a print: turned by up to 5 degrees, 5 % larger or
/// smaller, saved as JPEG of quality 75 (whose gradient is taken to be that of no change) and with the noise of a
/// camera, 0.02. The changes are drawn once, by the seed.
std::vector<MixedView> expectation_over(const std::string& what, int64_t draws,
                                        std::shared_ptr<const Classifier> network, uint64_t seed);

}  // namespace fercli
