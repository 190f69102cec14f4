// ResNet-18 (He et al., "Deep residual learning", CVPR 2016) in torchvision's layout, so that its state dictionaries
// load by name.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::resnet18_architecture {

namespace {

constexpr int64_t kLargeStem = 96;  // from this side on, the stem of ImageNet networks
constexpr int64_t kStages = 4;

ConvOptions without_activation(int64_t stride, int64_t padding) {
  ConvOptions options{stride, padding};
  options.activation = Activation::None;
  return options;
}

class Block : public torch::nn::Module {
 public:
  Block(int64_t in, int64_t out, int64_t stride) {
    conv1_ = register_module("conv1", std::make_shared<Conv>(in, out, 3, ConvOptions{stride}));
    conv2_ = register_module("conv2", std::make_shared<Conv>(out, out, 3));
    if (stride == 1 && in == out) return;
    downsample_ = register_module("downsample", std::make_shared<Conv>(in, out, 1, without_activation(stride, 0)));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    return conv2_->forward(conv1_->forward(x), downsample_ ? downsample_->forward(x) : x);
  }

 private:
  std::shared_ptr<Conv> conv1_, conv2_, downsample_;
};

/// Two blocks, "0" and "1".
class Stage : public torch::nn::Module {
 public:
  Stage(int64_t in, int64_t out, int64_t stride)
      : first_(register_module("0", std::make_shared<Block>(in, out, stride))),
        second_(register_module("1", std::make_shared<Block>(out, out, 1))) {}

  torch::Tensor forward(const torch::Tensor& x) { return second_->forward(first_->forward(x)); }

 private:
  std::shared_ptr<Block> first_, second_;
};

class ResNet18 : public Network {
 public:
  explicit ResNet18(const NetworkOptions& options)
      : dropout_(options.setting("dropout")), large_(options.size >= kLargeStem) {
    const auto width = static_cast<int64_t>(options.setting("width"));
    const auto stem = large_ ? std::make_shared<Conv>(options.channels, width, 7, ConvOptions{2})
                             : std::make_shared<Conv>(options.channels, width, 3);
    conv1_ = register_module("conv1", stem);
    int64_t in = width;
    for (int64_t stage = 0; stage < kStages; ++stage) {
      const int64_t out = width << stage;
      stages_.push_back(
          register_module(fmt::format("layer{}", stage + 1), std::make_shared<Stage>(in, out, stage == 0 ? 1 : 2)));
      in = out;
    }
    fc_ = register_module("fc", std::make_shared<Dense>(in, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = conv1_->forward(x);
    if (large_) y = max_pool(y, 3, 2, 1);
    for (const auto& stage : stages_) y = stage->forward(y);
    return fc_->forward(at::dropout(global_average(y), dropout_, is_training()));
  }

 private:
  double dropout_;
  bool large_;
  std::shared_ptr<Conv> conv1_;
  std::vector<std::shared_ptr<Stage>> stages_;
  std::shared_ptr<Dense> fc_;
};

const Register<Architecture> registered{
    {"resnet18",
     "ResNet-18 for RGB 100x100, ImageNet weights from a file (--weights)",
     "torchvision's ResNet-18, to be started from ImageNet weights. From 96 pixels on it has ImageNet's stem (7x7, "
     "stride "
     "2, max-pool); smaller faces go through a 3x3 stem without pooling, or too few positions would be left.",
     {3, 100, 7, {}},
     {width_parameter("64", "channels of the first stage"), dropout_parameter("0")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<ResNet18>(options); },
     true}};

}  // namespace

}  // namespace fercli::resnet18_architecture
