// Residual network for small faces (He et al., "Deep residual learning", CVPR 2016), with a stride-2 stem.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::resnet_architecture {

namespace {

class BasicBlock : public torch::nn::Module {
 public:
  BasicBlock(int64_t in, int64_t out, int64_t stride) {
    first_ = register_module("first", std::make_shared<Conv>(in, out, 3, ConvOptions{stride}));
    second_ = register_module("second", std::make_shared<Conv>(out, out, 3));
    if (stride == 1 && in == out) return;
    ConvOptions projection{stride};
    projection.activation = Activation::None;
    shortcut_ = register_module("shortcut", std::make_shared<Conv>(in, out, 1, projection));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    return second_->forward(first_->forward(x), shortcut_ ? shortcut_->forward(x) : x);
  }

 private:
  std::shared_ptr<Conv> first_, second_, shortcut_;
};

class ResNet : public Network {
 public:
  explicit ResNet(const NetworkOptions& options) : dropout_(options.setting("dropout")) {
    const auto width = static_cast<int64_t>(options.setting("width"));
    const auto stages = static_cast<int64_t>(options.setting("stages"));
    const auto blocks = static_cast<int64_t>(options.setting("blocks"));
    stem_ = register_module("stem", std::make_shared<Conv>(options.channels, width, 5, ConvOptions{2}));
    int64_t in = width;
    for (int64_t stage = 0; stage < stages; ++stage) {
      const int64_t out = width << stage;
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t stride = stage > 0 && block == 0 ? 2 : 1;
        blocks_.push_back(register_module(fmt::format("stage{}_{}", stage + 1, block + 1),
                                          std::make_shared<BasicBlock>(in, out, stride)));
        in = out;
      }
    }
    head_ = register_module("head", std::make_shared<Dense>(in, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = stem_->forward(x);
    for (const auto& block : blocks_) y = block->forward(y);
    return head_->forward(at::dropout(global_average(y), dropout_, is_training()));
  }

 private:
  double dropout_;
  std::shared_ptr<Conv> stem_;
  std::vector<std::shared_ptr<BasicBlock>> blocks_;
  std::shared_ptr<Dense> head_;
};

const Register<Architecture> registered{
    {"resnet",
     "residual network with a stride-2 stem; the default",
     "A 5x5 stride-2 stem brings 48x48 down to 24x24 at once, where the 3x3 convolutions are cheap and wide enough to "
     "fill the "
     "CPU's matrix units; stages of two residual blocks double the channels and halve the resolution; global average "
     "pooling keeps the head small, so nearly all parameters are in convolutions.",
     {1, 48, 7, {}},
     {width_parameter("64", "channels of the first stage"),
      Parameter::whole("stages", "3", between(1, 16), "each doubles the channels and halves the resolution"),
      Parameter::whole("blocks", "2", between(1, 16), "residual blocks of each stage"), dropout_parameter("0")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<ResNet>(options); },
     true}};

}  // namespace

}  // namespace fercli::resnet_architecture
