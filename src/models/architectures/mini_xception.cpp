// Mini-Xception (Arriaga, Valdenegro-Toro, Plöger, "Real-time convolutional neural networks for emotion and gender
// classification", 2017): depthwise-separable residual modules and a fully convolutional head.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::mini_xception_architecture {

namespace {

ConvOptions plain(int64_t stride = 1, int64_t groups = 1) {
  ConvOptions options{stride};
  options.groups = groups;
  options.activation = Activation::None;
  return options;
}

/// A depthwise 3x3 then a pointwise 1x1 convolution.
class SeparableConv : public torch::nn::Module {
 public:
  SeparableConv(int64_t in, int64_t out, Activation activation) {
    depthwise_ = register_module("depthwise", std::make_shared<Conv>(in, in, 3, plain(1, in)));
    ConvOptions options;
    options.activation = activation;
    pointwise_ = register_module("pointwise", std::make_shared<Conv>(in, out, 1, options));
  }
  torch::Tensor forward(const torch::Tensor& x) { return pointwise_->forward(depthwise_->forward(x)); }

 private:
  std::shared_ptr<Conv> depthwise_, pointwise_;
};

class XceptionModule : public torch::nn::Module {
 public:
  XceptionModule(int64_t in, int64_t out) {
    first_ = register_module("first", std::make_shared<SeparableConv>(in, out, Activation::Relu));
    second_ = register_module("second", std::make_shared<SeparableConv>(out, out, Activation::None));
    shortcut_ = register_module("shortcut", std::make_shared<Conv>(in, out, 1, plain(2)));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return max_pool(second_->forward(first_->forward(x)), 3, 2, 1) + shortcut_->forward(x);
  }

 private:
  std::shared_ptr<SeparableConv> first_, second_;
  std::shared_ptr<Conv> shortcut_;
};

class MiniXception : public Network {
 public:
  explicit MiniXception(const NetworkOptions& options) {
    const auto width = static_cast<int64_t>(options.setting("width"));
    ConvOptions valid;
    valid.padding = 0;
    stem1_ = register_module("stem1", std::make_shared<Conv>(options.channels, width, 3, valid));
    stem2_ = register_module("stem2", std::make_shared<Conv>(width, width, 3, valid));
    for (int64_t i = 0; i < 4; ++i) {
      modules_.push_back(register_module(fmt::format("module{}", i + 1),
                                         std::make_shared<XceptionModule>(width << i, width << (i + 1))));
    }
    ConvOptions head = plain();
    head.batch_norm = false;
    head_ = register_module("head", std::make_shared<Conv>(width << 4, options.classes, 3, head));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = stem2_->forward(stem1_->forward(x));
    for (const auto& module : modules_) y = module->forward(y);
    return global_average(head_->forward(y));
  }

 private:
  std::shared_ptr<Conv> stem1_, stem2_, head_;
  std::vector<std::shared_ptr<XceptionModule>> modules_;
};

const Register<Architecture> registered{
    {"mini-xception",
     "depthwise-separable residual modules, about 60 k parameters (Arriaga et al. 2017)",
     "Depthwise-separable convolutions and residual modules make a network of some 60,000 parameters that runs in real "
     "time anywhere; the last convolution gives one map per class, averaged, so there is no dense layer. BatchNorm is "
     "also between the depthwise and the pointwise step.",
     {1, 48, 7, {}},
     {width_parameter("8", "channels of the first layers")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<MiniXception>(options); },
     true}};

}  // namespace

}  // namespace fercli::mini_xception_architecture
