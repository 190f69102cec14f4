#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "models/networks/architecture.hpp"
#include "train/train_options.hpp"

namespace torch::optim {
class Optimizer;
}

namespace fercli {

/// Changes the weights of a network by their gradients, as the options say. Weights of rank 2 and more decay.
class Optimizer {
 public:
  /// The network's weights must be on their device already.
  Optimizer(const TrainOptions& options, const Network& network);
  ~Optimizer();

  void set_learning_rate(double rate);
  void zero_grad();
  void step();  ///< of clipped gradients

  torch::Tensor state() const;  ///< uint8: momenta and counts, as LibTorch serialises them

  /// Takes what `state` gave. `name` is for messages. Throws UserError where code is hidden in it, and LibTorch's
  /// exceptions.
  void restore(const torch::Tensor& state, const std::string& name);

 private:
  std::vector<torch::Tensor> parameters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  double clip_norm_;
};

}  // namespace fercli
