// Four convolutional blocks and two dense layers, the shape of many FER2013 course projects.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::emobot_architecture {

namespace {

class Emobot : public Network {
 public:
  explicit Emobot(const NetworkOptions& options) : dropout_(options.setting("dropout")) {
    constexpr int64_t kChannels[] = {64, 128, 512, 512}, kKernels[] = {3, 5, 3, 3};
    int64_t in = options.channels, side = options.size;
    for (int i = 0; i < 4; ++i) {
      convolutions_.push_back(
          register_module(fmt::format("conv{}", i + 1), std::make_shared<Conv>(in, kChannels[i], kKernels[i])));
      in = kChannels[i];
      side /= 2;
    }
    dense1_ = register_module("dense1", std::make_shared<Dense>(in * side * side, 256, Dense::Role::Hidden, true));
    dense2_ = register_module("dense2", std::make_shared<Dense>(256, 512, Dense::Role::Hidden, true));
    head_ = register_module("head", std::make_shared<Dense>(512, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = x;
    for (const auto& convolution : convolutions_) y = drop(max_pool(convolution->forward(y), 2, 2));
    y = drop(dense1_->forward(y.flatten(1)));
    return head_->forward(drop(dense2_->forward(y)));
  }

 private:
  torch::Tensor drop(const torch::Tensor& x) { return at::dropout(x, dropout_, is_training()); }

  double dropout_;
  std::vector<std::shared_ptr<Conv>> convolutions_;
  std::shared_ptr<Dense> dense1_, dense2_, head_;
};

const Register<Architecture> registered{
    {"emobot",
     "four convolutional blocks and two dense layers",
     "Convolutions of 64, 128 (5x5), 512 and 512 channels, each with BatchNorm, ReLU, 2x2 max-pooling and dropout, "
     "then dense "
     "layers of 256 and 512: the network that FER course projects on 48x48 images converge to, kept here for "
     "comparison.",
     {1, 48, 7, {}},
     {dropout_parameter("0.25")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<Emobot>(options); }}};

}  // namespace

}  // namespace fercli::emobot_architecture
