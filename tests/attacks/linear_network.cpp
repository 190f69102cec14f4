#include "tests/attacks/linear_network.hpp"

#include "models/networks/layers.hpp"
#include "models/networks/network.hpp"

namespace fercli::test {

namespace {

constexpr double kHeadScale = 40;

class LinearNetwork : public Network {
 public:
  explicit LinearNetwork(const NetworkOptions& options)
      : head_(register_module("head", std::make_shared<Dense>(options.channels * options.size * options.size,
                                                              options.classes, Dense::Role::Output))) {}
  torch::Tensor forward(const torch::Tensor& x) override { return head_->forward(x.flatten(1)); }

 private:
  std::shared_ptr<Dense> head_;
};

const Register<Architecture> registered{{"test-linear",
                                         "one dense layer",
                                         "known answers for tests",
                                         {1, 48, 7, {}},
                                         {},
                                         [](const NetworkOptions& options) -> std::shared_ptr<Network> {
                                           return std::make_shared<LinearNetwork>(options);
                                         }}};

void set_parameter(Network& network, const std::string& name, const torch::Tensor& value) {
  const torch::NoGradGuard no_grad;
  torch::Tensor parameter = network.named_parameters()[name];
  parameter.copy_(value.reshape(parameter.sizes()));
}

}  // namespace

LabelSet numbered_classes(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("class{}", i));
  return LabelSet(names);
}

Classifier linear_classifier(const torch::Tensor& weight, const torch::Tensor& bias, int64_t side,
                             Precision precision) {
  const NetworkOptions options{1, side, weight.size(0), {}};
  const auto network = make_network("test-linear", options, 0);
  set_parameter(*network, "head.weight", weight);
  set_parameter(*network, "head.bias", bias);
  return Classifier(network, {"test-linear", options, {1, side, {0.0}, {1.0}}, numbered_classes(weight.size(0))},
                    {precision});
}

Classifier confident_cnn(int64_t side, Precision precision) {
  const NetworkOptions options{1, side, 7, {{"width", 4}}};
  const auto network = make_network("small-cnn", options, 3);
  const torch::NoGradGuard no_grad;
  network->named_parameters().find("head.weight")->mul_(kHeadScale);
  const NetworkOptions complete{1, side, 7, complete_settings("small-cnn", options.settings)};
  return Classifier(network, {"small-cnn", complete, {1, side, {0.5}, {0.5}}, LabelSet::fer2013()}, {precision});
}

torch::Tensor test_images(int64_t n, int64_t side, int64_t low, int64_t high, uint64_t seed) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  const auto coarse = uniform_rows(Rng(seed), index, {1, side / 4, side / 4});
  const auto fine = uniform_rows(Rng(seed).split("fine"), index, {1, side, side});
  const auto blobs = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) * 0.7 + fine * 0.3;
  return ((blobs + 1) / 2 * static_cast<double>(high - low) + static_cast<double>(low)).round().to(torch::kUInt8);
}

AttackInput make_input(const Classifier& classifier, const torch::Tensor& images, bool targeted) {
  const auto x = to_float(images);
  const auto y = classifier.with_precision(Precision::Float32).logits(x).argmax(1);
  const auto next = (y + 1).remainder(classifier.classes().size());
  return {x, targeted ? Goal::targeted(next) : Goal::untargeted(y), image_keys(images)};
}

}  // namespace fercli::test
