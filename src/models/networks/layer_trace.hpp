#pragma once

#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace fercli {

/// What one layer did in a traced pass.
struct LayerRecord {
  const torch::nn::Module* module;  ///< null: a node of an imported graph
  std::string name;                 ///< of such a node
  std::string kind;                 ///< "Conv 3x3/2 64->128, BatchNorm, ReLU", or the node's operator
  std::vector<int64_t> output;      ///< shape without the batch
  int64_t parameters;               ///< of a module
  int64_t flops;                    ///< multiplications and additions of one image; 0: not counted
  double forward = 0;               ///< seconds that it worked
  double backward = 0;              ///< seconds from its gradient's arrival to that of the layer before it
};

/// While it lives, forward passes of this thread append to `records`, in the order in which layers end. It must outlive
/// the ways back of these passes.
class LayerTrace {
 public:
  LayerTrace();
  ~LayerTrace();
  LayerTrace(const LayerTrace&) = delete;
  LayerTrace& operator=(const LayerTrace&) = delete;

  static LayerTrace* active();  ///< of this thread, or null

  /// A layer that began at `begun` gives `output`, which nobody changes any more.
  void add(LayerRecord record, Clock::time_point begun, const torch::Tensor& output);

  /// Called at the end of the way back: tells its time layer by layer.
  void end_backward();

  std::vector<LayerRecord> records;

 private:
  std::vector<std::pair<size_t, Clock::time_point>> arrivals_;  ///< of gradients, by place in `records`
};

}  // namespace fercli
