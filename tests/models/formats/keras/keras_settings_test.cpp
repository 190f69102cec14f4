// The settings of Keras' layers: each is honoured, or refused by its name. Right values by LibTorch on values that lie
// as in Keras, or by the formulas of Keras' documentation.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/keras/keras_file.hpp"
#include "tests/models/formats/onnx/onnx_exports.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::KerasLayerWeights;
using test::message_of;
using test::ScratchFolder;
using testing::HasSubstr;
using T = torch::Tensor;

constexpr int64_t kRows = 6, kColumns = 4, kDepth = 3;

T numbers(std::vector<int64_t> shape, uint64_t seed) {
  return 0.5 * normal_rows(Rng(seed), {0}, shape)[0];
}

T pictures(int64_t n = 2) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return 3 * uniform_rows(Rng(3), index, {kDepth, kRows, kColumns});
}

/// As Keras has them: (N,H,W,C).
T in_keras(const T& x) {
  return x.permute({0, 2, 3, 1}).contiguous();
}

json named(const std::string& class_name, const std::string& name, json config) {
  config["name"] = name;
  return {{"class_name", class_name}, {"config", config}};
}

/// The layers after an input of (6,4,3), as a Sequential model.
std::string sequence(json layers, const std::string& type = "float32") {
  layers[0]["config"]["batch_input_shape"] = {nullptr, kRows, kColumns, kDepth};
  json all = json::array(
      {named("InputLayer", "input", {{"batch_input_shape", {nullptr, kRows, kColumns, kDepth}}, {"dtype", type}})});
  all.insert(all.end(), layers.begin(), layers.end());
  return json({{"class_name", "Sequential"}, {"config", {{"name", "net"}, {"layers", all}}}}).dump();
}

LabelSet some_labels(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back("class " + std::to_string(i));
  return LabelSet(names);
}

/// What the network of these layers gives, flattened, and what its ONNX export gives.
void expect_values(const std::string& name, const json& layers, const std::vector<KerasLayerWeights>& weights,
                   const T& expected) {
  SCOPED_TRACE(name);
  const ScratchFolder folder;
  json all = layers;
  all.push_back(named("Flatten", "flatten_at_the_end", json::object()));
  test::write_keras_h5(folder / "net.h5", sequence(all), weights);
  const auto wanted = expected.reshape({2, -1});
  ImportOptions options;
  options.labels = some_labels(wanted.size(1));
  const Checkpoint checkpoint = load_model(folder / "net.h5", options);
  const auto logits = make_classifier(checkpoint, {1, "fp32"}).logits(pictures());
  ASSERT_EQ(logits.sizes(), wanted.sizes());
  EXPECT_LT((logits - wanted).abs().max().item<double>(), 1e-5);
  export_model(checkpoint, "onnx", folder / "net.onnx");
  test::expect_valid_export("keras-" + name, folder / "net.onnx", checkpoint);
}

/// Right values of one layer without weights.
void expect_layer(const std::string& name, const std::string& class_name, const json& config, const T& expected) {
  expect_values(name, json::array({named(class_name, "subject", config)}), {{"subject", {}}}, expected);
}

TEST(KerasSettingsExport, ChannelsFirstMeansTheFirstAxisWhateverItHolds) {
  const auto x = in_keras(pictures());  // (N,6,4,3): six channels of 4x3
  const auto back = [](const T& y) { return y; };
  const json first = {
      {"data_format", "channels_first"}, {"pool_size", {2, 2}}, {"strides", {2, 1}}, {"padding", "valid"}};
  expect_layer("max-pool", "MaxPooling2D", first, back(at::max_pool2d(x, {2, 2}, {2, 1})));
  expect_layer("average-pool", "AveragePooling2D", first, back(at::avg_pool2d(x, {2, 2}, {2, 1})));
  expect_layer("global-average", "GlobalAveragePooling2D", {{"data_format", "channels_first"}}, x.mean({2, 3}));
  expect_layer("global-max", "GlobalMaxPooling2D", {{"data_format", "channels_first"}, {"keepdims", true}},
               x.amax({2, 3}));
  expect_layer("zero-padding", "ZeroPadding2D", {{"data_format", "channels_first"}, {"padding", {{1, 0}, {0, 2}}}},
               at::constant_pad_nd(x, {0, 2, 1, 0}));
  expect_layer("cropping", "Cropping2D", {{"data_format", "channels_first"}, {"cropping", {{1, 0}, {0, 1}}}},
               x.slice(2, 1).slice(3, 0, 2));
  expect_layer("up-sampling", "UpSampling2D",
               {{"data_format", "channels_first"}, {"size", {2, 3}}, {"interpolation", "nearest"}},
               x.repeat_interleave(2, 2).repeat_interleave(3, 3));
}

TEST(KerasSettingsExport, FlattenWithChannelsFirstPutsTheFirstAxisLast) {
  const auto x = in_keras(pictures());
  expect_layer("flatten-first", "Flatten", {{"data_format", "channels_first"}}, x.permute({0, 2, 3, 1}));
  expect_layer("flatten-last", "Flatten", {{"data_format", "channels_last"}}, x);
}

/// A convolution of each of `groups` channels by itself.
torch::Tensor by_channel(const torch::Tensor& x, const torch::Tensor& kernel, const torch::Tensor& bias,
                         int64_t groups) {
  return at::conv2d(x, kernel, bias, at::IntArrayRef{1, 1}, at::IntArrayRef{0, 0}, at::IntArrayRef{1, 1}, groups);
}

TEST(KerasSettingsExport, ConvolutionsWithChannelsFirst) {
  const auto x = in_keras(pictures());
  const json first = {{"data_format", "channels_first"}, {"kernel_size", {3, 2}}, {"padding", "valid"}};
  const auto kernel = numbers({3, 2, kRows, 5}, 1), bias = numbers({5}, 2);
  expect_values("conv-first", json::array({named("Conv2D", "c", first)}), {{"c", {{"kernel", kernel}, {"bias", bias}}}},
                at::conv2d(x, kernel.permute({3, 2, 0, 1}), bias));
  const auto depthwise = numbers({3, 2, kRows, 1}, 3), each_bias = numbers({kRows}, 4);
  expect_values("depthwise-first", json::array({named("DepthwiseConv2D", "c", first)}),
                {{"c", {{"depthwise_kernel", depthwise}, {"bias", each_bias}}}},
                by_channel(x, depthwise.permute({2, 3, 0, 1}), each_bias, kRows));
  const auto point = numbers({1, 1, kRows, 5}, 5);
  expect_values(
      "separable-first", json::array({named("SeparableConv2D", "c", first)}),
      {{"c", {{"depthwise_kernel", depthwise}, {"pointwise_kernel", point}, {"bias", bias}}}},
      at::conv2d(by_channel(x, depthwise.permute({2, 3, 0, 1}), {}, kRows), point.permute({3, 2, 0, 1}), bias));
  const auto turned = numbers({2, 2, 5, kRows}, 6);
  expect_values("transposed-first",
                json::array({named("Conv2DTranspose", "c",
                                   {{"data_format", "channels_first"}, {"kernel_size", {2, 2}}, {"strides", {2, 2}}})}),
                {{"c", {{"kernel", turned}, {"bias", bias}}}},
                at::conv_transpose2d(x, turned.permute({3, 2, 0, 1}), bias, 2));
}

TEST(KerasSettingsExport, AMixOfBothOrdersKeepsKerasShapes) {
  const auto x = in_keras(pictures());
  const auto kernel = numbers({1, 1, 3, 2}, 1), dense = numbers({3, 2}, 2), bias = numbers({2}, 3);
  // Pooling over the last two axes, then a convolution over the last one, as in EmoPy's networks.
  const json layers = json::array(
      {named("MaxPooling2D", "p", {{"data_format", "channels_first"}, {"pool_size", {2, 1}}, {"strides", {2, 1}}}),
       named("Conv2D", "c", {{"data_format", "channels_last"}, {"kernel_size", {1, 1}}, {"use_bias", false}})});
  expect_values("mixed-conv", layers, {{"p", {}}, {"c", {{"kernel", kernel}}}},
                at::max_pool2d(x, {2, 1}, {2, 1}).matmul(kernel.reshape({3, 2})));
  const json with_dense = json::array(
      {named("MaxPooling2D", "p", {{"data_format", "channels_first"}, {"pool_size", {2, 1}}, {"strides", {2, 1}}}),
       named("Dense", "d", {{"units", 2}, {"activation", "softmax"}})});
  expect_values("mixed-dense", with_dense, {{"p", {}}, {"d", {{"kernel", dense}, {"bias", bias}}}},
                at::softmax(at::max_pool2d(x, {2, 1}, {2, 1}).matmul(dense) + bias, -1));
}

TEST(KerasSettingsExport, BatchNormAlongAnyAxis) {
  const auto x = in_keras(pictures());
  for (const int64_t axis : {1, 2, 3, -1}) {
    const int64_t place = axis < 0 ? 3 : axis, size = x.size(place);
    const auto gamma = numbers({size}, 1), beta = numbers({size}, 2), mean = numbers({size}, 3),
               variance = numbers({size}, 4).abs() + 0.5;
    std::vector<int64_t> shape(4, 1);
    shape[static_cast<size_t>(place)] = size;
    const auto expected =
        (x - mean.view(shape)) / (variance.view(shape) + 0.01).sqrt() * gamma.view(shape) + beta.view(shape);
    expect_values(
        "batch-norm" + std::to_string(axis),
        json::array({named("BatchNormalization", "b", {{"axis", axis}, {"epsilon", 0.01}, {"momentum", 0.9}})}),
        {{"b", {{"gamma", gamma}, {"beta", beta}, {"moving_mean", mean}, {"moving_variance", variance}}}}, expected);
  }
}

TEST(KerasSettingsExport, LayerNormOverTheLastAxes) {
  const auto x = in_keras(pictures());
  const auto gamma = numbers({kRows, kColumns, kDepth}, 1), beta = numbers({kRows, kColumns, kDepth}, 2);
  expect_values("layer-norm", json::array({named("LayerNormalization", "l", {{"axis", {1, 2, 3}}, {"epsilon", 0.01}})}),
                {{"l", {{"gamma", gamma}, {"beta", beta}}}},
                at::layer_norm(x, {kRows, kColumns, kDepth}, gamma, beta, 0.01));
}

TEST(KerasSettingsExport, NormalisationsMayHaveNeitherScaleNorCentre) {
  const auto x = in_keras(pictures());
  const json bare = {{"epsilon", 0.01}, {"scale", false}, {"center", false}};
  const auto mean = numbers({kDepth}, 1), variance = numbers({kDepth}, 2).abs() + 0.5;
  expect_values("batch-norm-bare", json::array({named("BatchNormalization", "b", bare)}),
                {{"b", {{"moving_mean", mean}, {"moving_variance", variance}}}}, (x - mean) / (variance + 0.01).sqrt());
  expect_values("layer-norm-bare", json::array({named("LayerNormalization", "l", bare)}), {{"l", {}}},
                at::layer_norm(x, {kDepth}, {}, {}, 0.01));
}

TEST(KerasSettings, WeightsOfNormalisationsMustFitTheirInput) {
  const ScratchFolder folder;
  const auto few = numbers({kDepth - 1}, 1), fitting = numbers({kDepth}, 2);
  const auto refusal = [&](const std::string& class_name, const KerasLayerWeights& weights) {
    test::write_keras_h5(folder / "net.h5", sequence(json::array({named(class_name, "n", json::object())})), {weights});
    return message_of([&] { load_model(folder / "net.h5"); });
  };
  const std::string sentence = "layer 'n': its weights do not fit its input";
  EXPECT_THAT(refusal("LayerNormalization", {"n", {{"gamma", few}, {"beta", fitting}}}), HasSubstr(sentence));
  EXPECT_THAT(
      refusal("BatchNormalization",
              {"n", {{"gamma", fitting}, {"beta", fitting}, {"moving_mean", fitting}, {"moving_variance", few}}}),
      HasSubstr(sentence));
}

/// max_value above it, x from the threshold on, negative_slope (x - threshold) below.
T relu_by_formula(const T& x, double slope, double threshold, double most) {
  const auto upper = at::where(x > threshold, x, torch::zeros_like(x)).clamp_max(most);
  return at::where(x > threshold, upper, slope * (x - threshold));
}

TEST(KerasSettingsExport, ReluHonoursSlopeThresholdAndMaximum) {
  const auto x = in_keras(pictures());
  for (const auto& [slope, threshold, most] : std::vector<std::array<double, 3>>{
           {0, 0, 1}, {0.1, 0, 1e9}, {0.1, 0, 1.5}, {0, 0.5, 1e9}, {0.2, 0.5, 2}, {0.3, -0.5, 1}}) {
    json config = {{"negative_slope", slope}, {"threshold", threshold}};
    config["max_value"] = most < 1e8 ? json(most) : json();
    const auto name = std::to_string(slope) + std::to_string(threshold) + std::to_string(most);
    const auto expected = threshold < 0 ? at::where(x > threshold, x.clamp(0, most), slope * (x - threshold))
                                        : relu_by_formula(x, slope, threshold, most);
    expect_layer("relu" + name, "ReLU", config, expected);
  }
  expect_layer("thresholded", "ThresholdedReLU", {{"theta", 0.7}}, at::where(x > 0.7, x, torch::zeros_like(x)));
}

TEST(KerasSettingsExport, AnActivationGivenAsALayerKeepsItsSettings) {
  const auto x = in_keras(pictures());
  const auto dense = numbers({kDepth, 2}, 2), bias = numbers({2}, 3), z = x.matmul(dense) + bias;
  const auto check = [&](const std::string& name, const json& activation, const T& expected) {
    expect_values(name, json::array({named("Dense", "d", {{"units", 2}, {"activation", activation}})}),
                  {{"d", {{"kernel", dense}, {"bias", bias}}}}, expected);
  };
  const auto object = [](const std::string& class_name, json config) {
    config["name"] = "act";
    config["dtype"] = "float32";
    config["trainable"] = true;
    return json{
        {"module", "keras.layers"}, {"class_name", class_name}, {"config", config}, {"registered_name", nullptr}};
  };
  check("act-relu", object("ReLU", {{"max_value", 1.0}, {"negative_slope", 0.0}, {"threshold", 0.0}}), z.clamp(0, 1));
  check("act-leaky", object("LeakyReLU", {{"negative_slope", 0.05}}), at::leaky_relu(z, 0.05));
  check("act-leaky-2", object("LeakyReLU", {{"alpha", 0.25}}), at::leaky_relu(z, 0.25));
  check("act-elu", object("ELU", {{"alpha", 0.5}}), at::elu(z, 0.5));
  check("act-softmax", object("Softmax", {{"axis", -2}}), at::softmax(z, -2));
  check("act-function",
        {{"module", "builtins"}, {"class_name", "function"}, {"config", "tanh"}, {"registered_name", "function"}},
        at::tanh(z));
  const ScratchFolder folder;
  const auto refused = [&](const json& activation) {
    test::write_keras_h5(folder / "net.h5",
                         sequence(json::array({named("Dense", "d", {{"units", 2}, {"activation", activation}})})),
                         {{"d", {{"kernel", dense}, {"bias", bias}}}});
    return message_of([&] { load_model(folder / "net.h5"); });
  };
  EXPECT_THAT(refused(object("PReLU", json::object())), HasSubstr("layer 'd': the activation PReLU is not supported"));
  EXPECT_THAT(refused(object("ReLU", {{"cap", 3}})), HasSubstr("layer 'd': its setting cap = 3 is not supported"));
  EXPECT_THAT(refused("squareplus"), HasSubstr("the activation \"squareplus\" is not supported"));
}

TEST(KerasSettings, ASettingThatNothingReadsIsRefusedByName) {
  const ScratchFolder folder;
  const std::map<std::string, json> layers = {{"MaxPooling2D", {{"pool_size", {2, 2}}}},
                                              {"AveragePooling2D", {{"pool_size", {2, 2}}}},
                                              {"GlobalAveragePooling2D", json::object()},
                                              {"GlobalMaxPooling2D", json::object()},
                                              {"Flatten", json::object()},
                                              {"Reshape", {{"target_shape", {-1}}}},
                                              {"Permute", {{"dims", {3, 1, 2}}}},
                                              {"ZeroPadding2D", {{"padding", 1}}},
                                              {"Cropping2D", {{"cropping", 1}}},
                                              {"UpSampling2D", {{"size", 2}}},
                                              {"Resizing", {{"height", 3}, {"width", 3}}},
                                              {"Rescaling", {{"scale", 2}}},
                                              {"Activation", {{"activation", "relu"}}},
                                              {"ReLU", json::object()},
                                              {"LeakyReLU", json::object()},
                                              {"ELU", json::object()},
                                              {"Softmax", json::object()},
                                              {"ThresholdedReLU", json::object()},
                                              {"Normalization", {{"mean", 0.5}, {"variance", 1.0}}}};
  for (const auto& [class_name, config] : layers) {
    const auto refusal = [&](json with) {
      test::write_keras_h5(folder / "net.h5", sequence(json::array({named(class_name, "subject", std::move(with))})),
                           {{"subject", {}}});
      return message_of([&] { load_model(folder / "net.h5"); });
    };
    json strange = config;
    strange["wobble"] = 2;
    EXPECT_THAT(refusal(strange), HasSubstr("layer 'subject': its setting wobble = 2 is not supported")) << class_name;
    json quantised = config;
    quantised["dtype"] = {{"class_name", "QuantizedDTypePolicy"}, {"config", {{"name", "int8_from_float32"}}}};
    EXPECT_THAT(refusal(quantised), HasSubstr("its dtype \"int8_from_float32\" is not supported")) << class_name;
  }
  const auto refusal = [&](const std::string& class_name, const json& config) {
    test::write_keras_h5(folder / "net.h5", sequence(json::array({named(class_name, "subject", config)})),
                         {{"subject", {}}});
    return message_of([&] { load_model(folder / "net.h5"); });
  };
  EXPECT_THAT(refusal("MaxPooling2D", {{"padding", "causal"}}),
              HasSubstr("its setting padding = \"causal\" is not supported (valid, same are)"));
  EXPECT_THAT(refusal("Flatten", {{"data_format", "sideways"}}), HasSubstr("its setting data_format = \"sideways\""));
  EXPECT_THAT(refusal("UpSampling2D", {{"interpolation", "bicubic"}}),
              HasSubstr("its setting interpolation = \"bicubic\""));
}

TEST(KerasSettings, KernelSizesMustBeThoseOfTheWeights) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "net.h5", sequence(json::array({named("Conv2D", "c", {{"kernel_size", {5, 5}}})})),
                       {{"c", {{"kernel", numbers({3, 3, 3, 2}, 1)}, {"bias", numbers({2}, 2)}}}});
  EXPECT_THAT(message_of([&] { load_model(folder / "net.h5"); }),
              HasSubstr("kernel_size [5,5] does not fit its weights, which say [3,3]"));
}

TEST(KerasSettings, NumbersAndValuesThatNoNetworkHasAreRefused) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const ScratchFolder folder;
  const auto refusal = [&](const std::string& class_name, const json& config) {
    test::write_keras_h5(folder / "net.h5", sequence(json::array({named(class_name, "subject", config)})),
                         {{"subject", {}}});
    return message_of([&] { load_model(folder / "net.h5"); });
  };
  EXPECT_THAT(refusal("ZeroPadding2D", {{"padding", {{kMost, kMost}, {0, 0}}}}),
              HasSubstr("layer 'subject': its setting padding = 9223372036854775807 must be in [-1048576, 1048576]"));
  EXPECT_THAT(refusal("Cropping2D", {{"cropping", {-(1 << 20) - 1, 0}}}), HasSubstr("its setting cropping = -1048577"));
  EXPECT_THAT(refusal("MaxPooling2D", {{"pool_size", {2, 2}}, {"strides", {kMost, 1}}, {"padding", "same"}}),
              HasSubstr("its setting strides = 9223372036854775807 must be in"));
  EXPECT_THAT(refusal("Resizing", {{"height", kMost}, {"width", 3}}), HasSubstr("its setting height = 92233720368"));
  EXPECT_THAT(refusal("UpSampling2D", {{"size", 2.5}}), HasSubstr("one of its settings is missing, or is no value"));
  EXPECT_THAT(refusal("UpSampling2D", {{"size", {1 << 20, 1 << 20}}}),
              HasSubstr("layer 'subject': would have the shape (6291456,4194304,3), which no network's value has"));
  EXPECT_THAT(refusal("UpSampling2D", {{"size", {-1, 1}}}), HasSubstr("would have the shape (-6,4,3)"));
  // The product is the 72 numbers of the input in 64 bits, and far more.
  EXPECT_THAT(refusal("Reshape", {{"target_shape", {11, int64_t{1676976733973595608}}}}),
              HasSubstr("cannot make (11,1676976733973595608) of (6,4,3)"));
  EXPECT_THAT(refusal("Reshape", {{"target_shape", {-1, -1, 72}}}), HasSubstr("cannot make (-1,-1,72) of (6,4,3)"));
}

TEST(KerasSettings, AnInputOfWholeNumbersMeansPixelsOf0To255) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "net.h5", sequence(json::array({named("Flatten", "f", json::object())}), "uint8"),
                       {{"f", {}}});
  ImportOptions options;
  options.labels = some_labels(72);
  const auto x = pictures().abs() / 4;
  const auto logits = make_classifier(load_model(folder / "net.h5", options), {1, "fp32"}).logits(x);
  EXPECT_LT((logits - 255 * in_keras(x).flatten(1)).abs().max().item<double>(), 1e-3);
}

/// A model (with one or two outputs) inside a Functional model, referred to by `call` as Keras does: from 1.
std::string nested(int64_t call, int64_t output, const json& named_arguments = json::object()) {
  const auto node = [](const std::string& name, int64_t number, int64_t place, const json& more = json::object()) {
    return json::array({json::array({json::array({name, number, place, more})})});
  };
  const auto layer = [](json described, const json& inbound) {
    described["name"] = described["config"]["name"];
    described["inbound_nodes"] = inbound;
    return described;
  };
  const json shape = {nullptr, kRows, kColumns, kDepth};
  const json inner = {{"name", "base"},
                      {"layers",
                       {layer(named("InputLayer", "inner_input", {{"batch_input_shape", shape}}), json::array()),
                        layer(named("Dense", "d", {{"units", 2}}), node("inner_input", 0, 0)),
                        layer(named("Activation", "t", {{"activation", "tanh"}}), node("d", 0, 0))}},
                      {"input_layers", {{"inner_input", 0, 0}}},
                      {"output_layers", {{"t", 0, 0}, {"d", 0, 0}}}};
  const json outer = {{"name", "whole"},
                      {"layers",
                       {layer(named("InputLayer", "input", {{"batch_input_shape", shape}}), json::array()),
                        layer({{"class_name", "Functional"}, {"config", inner}}, node("input", 0, 0, named_arguments)),
                        layer(named("Flatten", "flat", json::object()), node("base", call, output))}},
                      {"input_layers", {{"input", 0, 0}}},
                      {"output_layers", {{"flat", 0, 0}}}};
  return json({{"class_name", "Functional"}, {"config", outer}}).dump();
}

TEST(KerasSettings, AModelInsideAFunctionalModelIsCalledFromOneOn) {
  const ScratchFolder folder;
  const auto dense = numbers({kDepth, 2}, 2), bias = numbers({2}, 3), z = in_keras(pictures()).matmul(dense) + bias;
  ImportOptions options;
  options.labels = some_labels(48);
  for (const int64_t call : {0, 1}) {
    for (const int64_t output : {0, 1}) {
      test::write_keras_h5(folder / "net.h5", nested(call, output),
                           {{"input", {}}, {"base", {{"d/kernel", dense}, {"d/bias", bias}}}, {"flat", {}}});
      const auto expected = (output == 0 ? at::tanh(z) : z).flatten(1);
      const auto logits = make_classifier(load_model(folder / "net.h5", options), {1, "fp32"}).logits(pictures());
      EXPECT_LT((logits - expected).abs().max().item<double>(), 1e-5) << call << " " << output;
    }
  }
}

TEST(KerasSettings, NamedArgumentsOfACallAreIdleOrRefused) {
  const ScratchFolder folder;
  const auto dense = numbers({kDepth, 2}, 2), bias = numbers({2}, 3);
  ImportOptions options;
  options.labels = some_labels(48);
  const auto told = [&](const json& arguments) {
    test::write_keras_h5(folder / "net.h5", nested(1, 0, arguments),
                         {{"input", {}}, {"base", {{"d/kernel", dense}, {"d/bias", bias}}}, {"flat", {}}});
    return message_of([&] { load_model(folder / "net.h5", options); });
  };
  EXPECT_EQ(told({{"training", false}, {"mask", nullptr}}), "");
  EXPECT_THAT(told({{"training", true}}),
              HasSubstr("layer 'base': is called with training = true, which is not supported"));
}

}  // namespace

}  // namespace fercli
