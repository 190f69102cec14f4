#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "models/graph/graph.hpp"

namespace fercli {

/// What LibTorch was asked to do when a network ran once. Tracing needs no source text of the network and knows no
/// difference between the program's own layers, imported graphs and TorchScript; control flow is frozen as it went.
class Trace {
 public:
  /// network: (N,C,H,W) float32 -> (N,K), kept as long as the trace. It is run on black images of this shape (C,H,W);
  /// its weights must not want gradients.
  Trace(std::function<torch::Tensor(const torch::Tensor&)> network, const std::vector<int64_t>& shape);
  ~Trace();

  /// The operations as a graph. Throws UserError that lists the LibTorch operators without a counterpart.
  Graph graph() const;

  /// A TorchScript module with one method forward(input), for any batch size. Throws UserError when what the network
  /// does depends on the number of images in another way than through sizes.
  void save_torchscript(const std::filesystem::path& path) const;

 private:
  struct Record;
  std::unique_ptr<Record> record_;
};

}  // namespace fercli
