#pragma once

#include <string>
#include <vector>

#include "models/classifier.hpp"

namespace fercli {

/// Seconds per image.
struct PassTimes {
  double logits = 0;    ///< the forward pass behind a verdict, no gradient wanted
  double forward = 0;   ///< the forward pass of a gradient
  double backward = 0;  ///< the way back to the image
};

struct LayerProfile {
  std::string name;  ///< "stage1_1.first"
  std::string kind;  ///< as in `LayerRecord`
  int64_t flops;     ///< multiplications and additions of one image, each way; 0: not counted
  PassTimes times;   ///< medians; a layer's way back takes in what lies between it and the layer before
};

/// Where a network's time goes.
struct NetworkProfile {
  int64_t batch;                     ///< images per pass
  double peak;                       ///< FLOPs per second of a product of matrices in the same arithmetic and threads
  std::vector<LayerProfile> layers;  ///< in the order in which they end
  PassTimes whole;                   ///< of the passes; the layers' sum and what is between them
};

/// Sends a batch of noise through again and again, in either kind of pass, and measures the peak as long. Throws
/// UserError: not on the CPU, or a network that LibTorch's interpreter runs, whose layers cannot be seen.
NetworkProfile profile_network(const Classifier& classifier, int64_t batch, double seconds_of_each = 0.6);

}  // namespace fercli
