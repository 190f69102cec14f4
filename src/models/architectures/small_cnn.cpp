// Three convolutional blocks: the network of a first course, and of the tests.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::small_cnn_architecture {

namespace {

class SmallCnn : public Network {
 public:
  explicit SmallCnn(const NetworkOptions& options) : dropout_(options.setting("dropout")) {
    const auto width = static_cast<int64_t>(options.setting("width"));
    int64_t in = options.channels;
    for (int64_t block = 0; block < 3; ++block) {
      const int64_t out = width << block;
      convolutions_.push_back(register_module(fmt::format("conv{}a", block + 1), std::make_shared<Conv>(in, out, 3)));
      convolutions_.push_back(register_module(fmt::format("conv{}b", block + 1), std::make_shared<Conv>(out, out, 3)));
      in = out;
    }
    head_ = register_module("head", std::make_shared<Dense>(in, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = x;
    for (size_t i = 0; i < convolutions_.size(); i += 2) {
      y = max_pool(convolutions_[i + 1]->forward(convolutions_[i]->forward(y)), 2, 2);
    }
    return head_->forward(at::dropout(global_average(y), dropout_, is_training()));
  }

 private:
  double dropout_;
  std::vector<std::shared_ptr<Conv>> convolutions_;
  std::shared_ptr<Dense> head_;
};

const Register<Architecture> registered{
    {"small-cnn",
     "three blocks of two 3x3 convolutions and a max-pool",
     "The smallest network that learns expressions: three blocks (two 3x3 convolutions with BatchNorm, then 2x2 "
     "max-pooling), "
     "doubling the channels each time, and global average pooling instead of dense layers.",
     {1, 48, 7, {}},
     {width_parameter("32", "channels of the first layer"), dropout_parameter("0.25")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<SmallCnn>(options); },
     true}};

}  // namespace

}  // namespace fercli::small_cnn_architecture
