// VGG16 (Simonyan and Zisserman, ICLR 2015) for RGB faces at 100x100, as RAF-DB projects use it.
#include <ATen/ATen.h>

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::vgg16_architecture {

namespace {

constexpr int64_t kPool = 0;
constexpr int64_t kWidest = 8;  ///< stages, in channels of the first one
constexpr int64_t kPlan[] = {1,     1,       kPool,   2,       2,     kPool,   4,       4,       4,
                             kPool, kWidest, kWidest, kWidest, kPool, kWidest, kWidest, kWidest, kPool};

/// Numbered as in torchvision ("features.0", "features.2", …), where ReLU and pooling count too, so that a state
/// dictionary from there loads by name.
class Features : public torch::nn::Module {
 public:
  Features(int64_t channels, int64_t width) {
    int64_t in = channels;
    int number = 0;
    for (const int64_t stage : kPlan) {
      if (stage == kPool) {
        layers_.push_back(nullptr);
        ++number;
        continue;
      }
      const int64_t out = stage * width;
      ConvOptions options;
      options.batch_norm = false;
      layers_.push_back(register_module(std::to_string(number), std::make_shared<Conv>(in, out, 3, options)));
      number += 2;
      in = out;
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    for (const auto& layer : layers_) x = layer ? layer->forward(x) : max_pool(x, 2, 2);
    return x;
  }

 private:
  std::vector<std::shared_ptr<Conv>> layers_;  ///< nullptr: max-pool
};

class Vgg16 : public Network {
 public:
  explicit Vgg16(const NetworkOptions& options) : dropout_(options.setting("dropout")) {
    const auto width = static_cast<int64_t>(options.setting("width"));
    const int64_t side = options.size / 32;
    features_ = register_module("features", std::make_shared<Features>(options.channels, width));
    dense_ = register_module("dense",
                             std::make_shared<Dense>(kWidest * width * side * side, 512, Dense::Role::Hidden, true));
    head_ = register_module("head", std::make_shared<Dense>(512, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    const auto y = dense_->forward(features_->forward(x).flatten(1));
    return head_->forward(at::dropout(y, dropout_, is_training()));
  }

 private:
  double dropout_;
  std::shared_ptr<Features> features_;
  std::shared_ptr<Dense> dense_;
  std::shared_ptr<Dense> head_;
};

const Register<Architecture> registered{
    {"vgg16",
     "VGG16 for RGB 100x100, ImageNet weights from a file (--weights)",
     "The thirteen convolutions of VGG16, to be started from ImageNet weights, with a head of 512 units, BatchNorm and "
     "dropout "
     "0.5: the transfer-learning set-up of RAF-DB projects.",
     {3, 100, 7, {}},
     {width_parameter("64", "channels of the first stage"), dropout_parameter("0.5")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<Vgg16>(options); }}};

}  // namespace

}  // namespace fercli::vgg16_architecture
