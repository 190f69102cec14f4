// Four convolutional blocks and two dense layers, the shape of many FER2013 course projects.
#include "models/networks/dense_tail.hpp"

namespace fercli::emobot_architecture {

namespace {

class Emobot : public DenseTailed {
 public:
  explicit Emobot(const NetworkOptions& options) : DenseTailed(options.setting("dropout")) {
    constexpr int64_t kChannels[] = {64, 128, 512, 512}, kKernels[] = {3, 5, 3, 3};
    int64_t in = options.channels, side = options.size;
    for (int i = 0; i < 4; ++i) {
      convolutions_.push_back(
          register_module(fmt::format("conv{}", i + 1), std::make_shared<Conv>(in, kChannels[i], kKernels[i])));
      in = kChannels[i];
      side /= 2;
    }
    add_tail({in * side * side, 256, 512, options.classes}, /*batch_norm=*/true);
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = x;
    for (const auto& convolution : convolutions_) y = drop(max_pool(convolution->forward(y), 2, 2));
    return tail(y);
  }

 private:
  std::vector<std::shared_ptr<Conv>> convolutions_;
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
