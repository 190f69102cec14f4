#pragma once

#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli {

/// A network that ends in three dense layers, "dense1", "dense2" and "head", with dropout before the last two.
class DenseTailed : public Network {
 protected:
  struct Units {
    int64_t inputs, first, second, classes;
  };

  explicit DenseTailed(double dropout) : dropout_(dropout) {}

  void add_tail(const Units& units, bool batch_norm) {
    constexpr auto kHidden = Dense::Role::Hidden;
    dense1_ = register_module("dense1", std::make_shared<Dense>(units.inputs, units.first, kHidden, batch_norm));
    dense2_ = register_module("dense2", std::make_shared<Dense>(units.first, units.second, kHidden, batch_norm));
    head_ = register_module("head", std::make_shared<Dense>(units.second, units.classes, Dense::Role::Output));
  }

  torch::Tensor drop(const torch::Tensor& x) { return at::dropout(x, dropout_, is_training()); }

  torch::Tensor tail(const torch::Tensor& maps) {
    return head_->forward(drop(dense2_->forward(drop(dense1_->forward(maps.flatten(1))))));
  }

 private:
  double dropout_;
  std::shared_ptr<Dense> dense1_, dense2_, head_;
};

}  // namespace fercli
