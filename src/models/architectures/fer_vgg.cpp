// The VGG variant for FER2013 of Khaireddin and Chen ("Facial emotion recognition: state of the art performance on
// FER2013", 2021): four stages of two 3x3 convolutions, three dense layers.
#include "models/networks/dense_tail.hpp"

namespace fercli::fer_vgg_architecture {

namespace {

class FerVgg : public DenseTailed {
 public:
  explicit FerVgg(const NetworkOptions& options) : DenseTailed(options.setting("dropout")) {
    const auto dense = static_cast<int64_t>(options.setting("dense"));
    int64_t in = options.channels, side = options.size;
    for (int64_t stage = 0; stage < 4; ++stage) {
      const int64_t out = int64_t{64} << stage;
      convolutions_.push_back(register_module(fmt::format("conv{}a", stage + 1), std::make_shared<Conv>(in, out, 3)));
      convolutions_.push_back(register_module(fmt::format("conv{}b", stage + 1), std::make_shared<Conv>(out, out, 3)));
      in = out;
      side /= 2;
    }
    add_tail({in * side * side, dense, dense, options.classes}, /*batch_norm=*/false);
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = x;
    for (size_t i = 0; i < convolutions_.size(); i += 2) {
      y = max_pool(convolutions_[i + 1]->forward(convolutions_[i]->forward(y)), 2, 2);
    }
    return tail(y);
  }

 private:
  std::vector<std::shared_ptr<Conv>> convolutions_;
};

const Register<Architecture> registered{
    {"fer-vgg",
     "VGG with four stages and three dense layers (Khaireddin and Chen 2021)",
     "Four stages of two 3x3 convolutions with BatchNorm (64 to 512 channels), each ended by max-pooling, and three "
     "dense "
     "layers: the strongest plain network published for FER2013 without outside data. Most of its parameters are "
     "dense.",
     {1, 48, 7, {}},
     {Parameter::whole("dense", "4096", between(1, 4096), "units of each dense layer"), dropout_parameter("0.2")},
     [](const NetworkOptions& options) -> std::shared_ptr<Network> { return std::make_shared<FerVgg>(options); }}};

}  // namespace

}  // namespace fercli::fer_vgg_architecture
