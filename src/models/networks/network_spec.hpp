#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "data/label_set.hpp"
#include "models/networks/architecture.hpp"

namespace fercli {

/// From stored image to network input: grey/RGB conversion, bilinear resize (or a cut from the middle), (x - mean) /
/// std per channel.
struct Preprocessing {
  int64_t channels = 1;
  int64_t size = 48;              ///< input height, and width unless that is given
  std::vector<double> mean{0.5};  ///< one value, or one per channel; pixels in [0,1]
  std::vector<double> std{0.5};
  int64_t width = 0;      ///< 0: square
  int64_t crop_from = 0;  ///< side that images are brought to before their middle is cut out; 0: no cut

  int64_t columns() const { return width > 0 ? width : size; }
  int64_t shown_side() const { return crop_from > 0 ? crop_from : size; }  ///< of a square image that loses nothing

  /// x: (N,C,H,W) float32 in [0,1], any C in {1,3}. Returns the network's input, channels-last, of this type, on x's
  /// device; differentiable.
  torch::Tensor input(const torch::Tensor& x, torch::ScalarType type) const;

  /// The last step alone, for images that have the network's channels and a size of their own.
  torch::Tensor normalised(const torch::Tensor& x, torch::ScalarType type) const;
};

/// Windows of images that networks are trained on are at least so large.
inline constexpr int64_t kSmallestWindow = 16;

/// What a network is, apart from its weights.
struct NetworkSpec {
  std::string arch;  ///< name of an Architecture; of an imported model what results call it
  NetworkOptions options;
  Preprocessing preprocessing;
  LabelSet classes;    ///< in the order of the outputs
  int64_t window = 0;  ///< side of the windows of images that it saw to the end of its training; 0: whole images
};

/// (1,C,1,1) float32: values of a Preprocessing as they meet its images.
torch::Tensor per_channel(const std::vector<double>& values);

/// A window that was read from a file; 0 where it does not fit the network.
int64_t usable_window(int64_t side, const NetworkSpec& spec);

/// Bilinear, where the size differs.
torch::Tensor resized(const torch::Tensor& x, int64_t height, int64_t width);

}  // namespace fercli
