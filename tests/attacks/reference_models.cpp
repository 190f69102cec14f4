#include "tests/attacks/reference_models.hpp"

#include <torch/csrc/jit/serialization/pickle.h>

#include <cstdlib>

#include "core/files.hpp"
#include "data/dataset.hpp"
#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::test {

namespace {

class ReferenceCnn : public Network {
 public:
  explicit ReferenceCnn(const NetworkOptions& options) {
    const int64_t widths[] = {options.channels, 16, 32, 64};
    for (size_t i = 1; i < 4; ++i) {
      convolutions_.push_back(register_module(fmt::format("conv{}", i),
                                              std::make_shared<Conv>(widths[i - 1], widths[i], 3, ConvOptions{2})));
    }
    const int64_t side = options.size / 16;
    fc_ = register_module("fc", std::make_shared<Dense>(64 * side * side, options.classes, Dense::Role::Output));
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    auto y = x;
    for (const auto& convolution : convolutions_) y = convolution->forward(y);
    return fc_->forward(max_pool(y, 2, 2).flatten(1));
  }

 private:
  std::vector<std::shared_ptr<Conv>> convolutions_;
  std::shared_ptr<Dense> fc_;
};

class ReferenceLinear : public Network {
 public:
  explicit ReferenceLinear(const NetworkOptions& options)
      : fc_(register_module("fc", std::make_shared<Dense>(options.channels * options.size * options.size,
                                                          options.classes, Dense::Role::Output))) {}
  torch::Tensor forward(const torch::Tensor& x) override { return fc_->forward(x.flatten(1)); }

 private:
  std::shared_ptr<Dense> fc_;
};

const Register<Architecture> cnn{{"test-reference-cnn",
                                  "three strided convolutions",
                                  "the network of the reference outputs",
                                  {1, 48, 7, {}},
                                  {},
                                  [](const NetworkOptions& options) -> std::shared_ptr<Network> {
                                    return std::make_shared<ReferenceCnn>(options);
                                  }}};
const Register<Architecture> linear{{"test-reference-linear",
                                     "one dense layer",
                                     "closed forms for the reference outputs",
                                     {1, 48, 7, {}},
                                     {},
                                     [](const NetworkOptions& options) -> std::shared_ptr<Network> {
                                       return std::make_shared<ReferenceLinear>(options);
                                     }}};

Tensors read_dictionary(const std::string& file) {
  const auto bytes =
      read_file(std::filesystem::path(FERCLI_TEST_FOLDER) / "golden" / "reference" / std::filesystem::path(file));
  Tensors tensors;
  for (const auto& entry : torch::jit::pickle_load({bytes.begin(), bytes.end()}).toGenericDict()) {
    tensors[entry.key().toStringRef()] = entry.value().toTensor();
  }
  return tensors;
}

/// The state dictionary under this library's names: the convolution's bias goes into the mean of its BatchNorm.
Tensors renamed(const Tensors& state) {
  Tensors weights{{"fc.weight", state.at("fc.weight")}, {"fc.bias", state.at("fc.bias")}};
  for (const std::string i : {"1", "2", "3"}) {
    if (state.count("conv" + i + ".weight") == 0) continue;
    weights["conv" + i + ".weight"] = state.at("conv" + i + ".weight");
    weights["conv" + i + ".scale"] = state.at("bn" + i + ".weight");
    weights["conv" + i + ".shift"] = state.at("bn" + i + ".bias");
    weights["conv" + i + ".running_mean"] = state.at("bn" + i + ".running_mean") - state.at("conv" + i + ".bias");
    weights["conv" + i + ".running_var"] = state.at("bn" + i + ".running_var");
  }
  return weights;
}

void set_weights(Network& network, const Tensors& weights) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : network.named_parameters()) {
    item.value().copy_(weights.at(item.key()).view(item.value().sizes()));
  }
  for (const auto& item : network.named_buffers()) item.value().copy_(weights.at(item.key()));
}

}  // namespace

bool full() {
  return std::getenv("FERCLI_FULL_REFERENCE") != nullptr;
}

Tensors reference_file(const std::string& file) {
  static std::map<std::string, Tensors> files;
  const auto place = files.find(file);
  return place != files.end() ? place->second : files[file] = read_dictionary(file);
}

Classifier reference_model(const std::string& name, Precision precision) {
  const std::string arch = name == "linear" ? "test-reference-linear" : "test-reference-cnn";
  const NetworkOptions options{1, 48, 7, {}};
  const auto network = make_network(arch, options, 0);
  set_weights(*network, renamed(reference_file("models/" + name + ".state.pt")));
  network->eval();
  return Classifier(network, {arch, options, {1, 48, {0.5}, {0.25}}, LabelSet::fer2013()}, {precision});
}

ReferenceImages reference_images(const std::string& set) {
  const auto images = reference_file("images.pt");
  const auto pixels = images.at("x" + set + "_uint8");
  return {pixels, to_float(pixels), images.at("y" + set.substr(0, set.find('_')))};
}

AttackInput reference_input(const ReferenceImages& images) {
  return {images.x, Goal::untargeted(images.y), image_keys(images.pixels)};
}

AttackInput reference_input(const ReferenceImages& images, int64_t target) {
  return {images.x, Goal::targeted(torch::full_like(images.y, target)), image_keys(images.pixels)};
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& y) {
  return logits.log_softmax(1).gather(1, y.unsqueeze(1)).squeeze(1).neg();
}

testing::AssertionResult is_close(const torch::Tensor& actual, const torch::Tensor& expected, double absolute,
                                  double relative) {
  if (actual.sizes() != expected.sizes()) return testing::AssertionFailure() << "shapes differ";
  const auto a = actual.to(torch::kFloat64).flatten(), e = expected.to(torch::kFloat64).flatten();
  const auto excess = (a - e).abs() / (absolute + relative * e.abs());
  const auto worst = excess.argmax();
  if (excess.le(1).all().item<bool>()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << excess.le(1).logical_not().sum().item<int64_t>() << " of " << a.numel()
                                     << " differ; place " << worst.item<int64_t>() << ": "
                                     << a[worst.item<int64_t>()].item<double>() << ", expected "
                                     << e[worst.item<int64_t>()].item<double>();
}

torch::Tensor equal_share(const torch::Tensor& actual, const torch::Tensor& expected, double absolute) {
  return (actual - expected).abs().le(absolute).to(torch::kFloat64).flatten(1).mean(1);
}

AttackSettings reference_settings() {
  AttackSettings settings;
  settings.pixel_grid = false;
  settings.confidence = 2;
  return settings;
}

AttackTrace Looks::trace() {
  return [this](const torch::Tensor&, const torch::Tensor& x, const torch::Tensor& z) {
    shown.push_back(x);
    logits.push_back(z);
  };
}

}  // namespace fercli::test
