#pragma once

#include <set>
#include <string>

#include "models/graph/graph.hpp"
#include "models/networks/network_spec.hpp"

namespace fercli {

/// Two tensors of one shape, float64, between whose elements those of a value lie.
struct Between {
  torch::Tensor lower, upper;
};

enum class BoundRule;  ///< how an operator is bounded

/// What is certain about one image: the least that logits[label] - logits[k] can be on its ball, of each class k.
/// float64 (K), 0 at the label.
struct LeastMargins {
  torch::Tensor interval;  ///< by interval bounds, the last linear layers taken together
  torch::Tensor linear;    ///< by a backward pass of linear bounds; never less than `interval`
};

/// Bounds of what a network says on all images of an Linf ball: interval bounds (Gowal et al., arXiv:1810.12715) of all
/// values, and by them one backward pass of linear bounds for the margins, as in CROWN-IBP (Zhang et al.,
/// arXiv:1906.06316): relu(x) lies under the chord and over 0 or x, whichever leaves the smaller area; a maximum lies
/// over one of its inputs, and under it where no other can be larger, else under a constant; other rising functions lie
/// between constants. Of the bounds met on the way back, each of which holds, the best is taken.
///
/// They hold for the network in float32 arithmetic, whose products are summed in any order: a result of n operations
/// is taken to lie up to n u / (1 - n u) times the sum of its terms' magnitudes (u = 2^-24) away from the exact one,
/// weights with BatchNorm folded in included, and the ball is 2^-22 larger than asked. The bounds themselves are
/// computed in float64, whose roundings a slack larger by 1 % covers.
class LinfBounds {
 public:
  /// The network between its preprocessing and its logits (N,K). Throws UserError that lists the nodes for which there
  /// is no bound.
  LinfBounds(Graph graph, Preprocessing preprocessing);

  /// image: (1,C,H,W) float32 in [0,1], as stored. The ball is cut at [0,1].
  LeastMargins margins(const torch::Tensor& image, double eps, int64_t label) const;

 private:
  struct Forward;
  class Backward;

  Forward forward(const Between& images) const;
  void bound(const GraphNode& node, Forward& found) const;
  void bound_linear(const GraphNode& node, BoundRule rule, Forward& found) const;
  bool varies(const std::string& value) const { return varying_.count(value) > 0; }

  Graph graph_;  ///< constants in float64
  Preprocessing preprocessing_;
  std::set<std::string> varying_;  ///< values that depend on the image
};

}  // namespace fercli
