// Keras files, laid out byte for byte as Keras does, against the same network built by hand from LibTorch operations.
#include <ATen/ATen.h>

#include <ctime>

#include "core/files.hpp"
#include "core/random.hpp"
#include "models/formats/import.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/keras/keras_file.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::KerasLayerWeights;
using test::message_of;
using test::ScratchFolder;
using testing::HasSubstr;

torch::Tensor draw(std::vector<int64_t> shape, uint64_t seed) {
  return 0.5 * normal_rows(Rng(seed), {0}, shape)[0];
}

torch::Tensor positive(std::vector<int64_t> shape, uint64_t seed) {
  return draw(std::move(shape), seed).abs() + 0.5;
}

/// Eight weights are enough for the network below; the Keras shapes are (kh,kw,in,out).
struct Weights {
  torch::Tensor stem = draw({3, 3, 3, 4}, 1), stem_bias = draw({4}, 2);
  torch::Tensor gamma = positive({4}, 3), beta = draw({4}, 4), mean = draw({4}, 5), variance = positive({4}, 6);
  torch::Tensor depthwise = draw({3, 3, 4, 2}, 7), pointwise = draw({1, 1, 8, 5}, 8), separable_bias = draw({5}, 9);
  torch::Tensor shortcut = draw({1, 1, 4, 5}, 10);
  torch::Tensor gate = draw({5, 5}, 11), gate_bias = draw({5}, 12);
  torch::Tensor dense = draw({4 * 5 * 5, 7}, 13), dense_bias = draw({7}, 14);
};

torch::Tensor as_torch(const torch::Tensor& kernel) {
  return kernel.permute({3, 2, 0, 1}).contiguous();
}

/// Padding of a 3x3 window with stride 2: even sides get one pixel after, odd ones one on each side.
torch::Tensor pad_same(const torch::Tensor& x, double value) {
  const int64_t top = x.size(2) % 2, left = x.size(3) % 2;
  return at::constant_pad_nd(x, {left, 1, top, 1}, value);
}

/// Stem with stride 2 and "same" padding, BatchNorm, a separable convolution and pooling beside a strided 1x1 shortcut,
/// squeeze-and-excitation, and a dense layer over all positions in Keras' order.
torch::Tensor by_hand(const Weights& w, const torch::Tensor& x) {
  auto y = at::conv2d(pad_same(x, 0), as_torch(w.stem), w.stem_bias, 2);
  y = at::relu(at::batch_norm(y, w.gamma, w.beta, w.mean, w.variance, false, 0, 1e-3, false));
  const auto depthwise = w.depthwise.permute({2, 3, 0, 1}).reshape({8, 1, 3, 3});
  auto z = at::conv2d(at::conv2d(y, depthwise, {}, 1, 1, 1, 4), as_torch(w.pointwise), w.separable_bias);
  z = at::max_pool2d(pad_same(z, -1e9), {3, 3}, {2, 2}) + at::conv2d(y, as_torch(w.shortcut), {}, 2);
  const auto gate = at::sigmoid(at::matmul(z.mean({2, 3}), w.gate) + w.gate_bias);
  z = z * gate.view({-1, 5, 1, 1});
  return at::matmul(z.permute({0, 2, 3, 1}).flatten(1), w.dense) + w.dense_bias;
}

constexpr int64_t kHeight = 16, kWidth = 18;  // the stem leaves 8x9, the pooling 4x5

json layer(const std::string& class_name, const std::string& name, json config, const json& inbound) {
  config["name"] = name;
  return {{"class_name", class_name}, {"name", name}, {"config", config}, {"inbound_nodes", inbound}};
}

/// What Keras 2 and Keras 3 write differently.
struct Dialect {
  bool keras3;

  json inbound(const std::vector<std::string>& names) const {
    if (names.empty()) return json::array();
    json arguments = json::array();
    for (const auto& name : names) {
      if (keras3) {
        arguments.push_back(
            {{"class_name", "__keras_tensor__"},
             {"config", {{"shape", {nullptr, 1}}, {"dtype", "float32"}, {"keras_history", {name, 0, 0}}}}});
      } else {
        arguments.push_back({name, 0, 0, json::object()});
      }
    }
    if (!keras3) return json::array({arguments});
    const json args = names.size() > 1 ? json::array({arguments}) : arguments;
    return json::array({{{"args", args}, {"kwargs", json::object()}}});
  }

  json end(const std::string& name) const {
    const json reference = {name, 0, 0};
    return keras3 ? reference : json::array({reference});
  }
};

json configuration(const Dialect& dialect) {
  json layers = json::array();
  const auto add = [&](const std::string& class_name, const std::string& name, json config,
                       const std::vector<std::string>& from) {
    layers.push_back(layer(class_name, name, std::move(config), dialect.inbound(from)));
  };
  const json shape = {nullptr, kHeight, kWidth, 3};
  add("InputLayer", "input_1", {{dialect.keras3 ? "batch_shape" : "batch_input_shape", shape}}, {});
  add("Conv2D", "stem",
      {{"filters", 4},
       {"kernel_size", {3, 3}},
       {"strides", {2, 2}},
       {"padding", "same"},
       {"data_format", "channels_last"},
       {"use_bias", true},
       {"activation", "linear"}},
      {"input_1"});
  add("BatchNormalization", "norm",
      {{"axis", dialect.keras3 ? json(-1) : json::array({3})}, {"epsilon", 1e-3}, {"center", true}, {"scale", true}},
      {"stem"});
  add("Activation", "relu", {{"activation", "relu"}}, {"norm"});
  add("SeparableConv2D", "separable",
      {{"kernel_size", {3, 3}},
       {"strides", {1, 1}},
       {"padding", "same"},
       {"depth_multiplier", 2},
       {"use_bias", true},
       {"activation", nullptr}},
      {"relu"});
  add("MaxPooling2D", "pool", {{"pool_size", {3, 3}}, {"strides", {2, 2}}, {"padding", "same"}}, {"separable"});
  add("Conv2D", "shortcut", {{"kernel_size", {1, 1}}, {"strides", {2, 2}}, {"padding", "same"}, {"use_bias", false}},
      {"relu"});
  add("Add", "add", json::object(), {"pool", "shortcut"});
  add("GlobalAveragePooling2D", "squeeze", {{"data_format", "channels_last"}}, {"add"});
  add("Dense", "gate", {{"units", 5}, {"use_bias", true}, {"activation", "sigmoid"}}, {"squeeze"});
  add("Reshape", "spread", {{"target_shape", {1, 1, 5}}}, {"gate"});
  add("Multiply", "scale", json::object(), {"add", "spread"});
  add("Dropout", "dropout", {{"rate", 0.5}}, {"scale"});
  add("Flatten", "flatten", json::object(), {"dropout"});
  add("Dense", "predictions", {{"units", 7}, {"use_bias", true}, {"activation", "softmax"}}, {"flatten"});
  return {{"class_name", dialect.keras3 ? "Functional" : "Model"},
          {"config",
           {{"name", "model_1"},
            {"layers", layers},
            {"input_layers", dialect.end("input_1")},
            {"output_layers", dialect.end("predictions")}}}};
}

std::vector<KerasLayerWeights> named_weights(const Weights& w) {
  return {
      {"input_1", {}},
      {"stem", {{"kernel", w.stem}, {"bias", w.stem_bias}}},
      {"norm", {{"gamma", w.gamma}, {"beta", w.beta}, {"moving_mean", w.mean}, {"moving_variance", w.variance}}},
      {"separable", {{"depthwise_kernel", w.depthwise}, {"pointwise_kernel", w.pointwise}, {"bias", w.separable_bias}}},
      {"shortcut", {{"kernel", w.shortcut}}},
      {"gate", {{"kernel", w.gate}, {"bias", w.gate_bias}}},
      {"predictions", {{"kernel", w.dense}, {"bias", w.dense_bias}}}};
}

/// Keras 3 names the places by class and number, in the order of the layers.
std::vector<KerasLayerWeights> numbered_weights(const Weights& w) {
  auto layers = named_weights(w);
  const char* places[] = {"input_layer", "conv2d", "batch_normalization", "separable_conv2d", "conv2d_1",
                          "dense",       "dense_1"};
  for (size_t i = 0; i < layers.size(); ++i) layers[i].layer = std::string("layers/") + places[i];
  return layers;
}

torch::Tensor images(int64_t n) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return (uniform_rows(Rng(3), index, {3, kHeight, kWidth}) + 1) / 2;
}

void expect_the_network(const std::filesystem::path& path) {
  const Checkpoint checkpoint = load_model(path);
  EXPECT_EQ(checkpoint.preprocessing.size, kHeight);
  EXPECT_EQ(checkpoint.preprocessing.columns(), kWidth);
  const auto classifier = make_classifier(checkpoint, {0, "fp32"});
  auto x = images(3).requires_grad_(true);
  const auto expected = by_hand(Weights(), x);
  const auto linearization = classifier.linearize(x.detach());
  EXPECT_TRUE(at::allclose(linearization.logits, expected, 1e-4, 1e-4))
      << (linearization.logits - expected).abs().max();
  const auto direction = torch::ones({3, 7}).cumsum(1) - 4;
  expected.backward(direction);
  EXPECT_TRUE(at::allclose(linearization.pullback(direction), x.grad(), 1e-4, 1e-4));
}

TEST(Keras, AnHdf5FileOfKeras2IsTheNetworkBuiltByHand) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "net.h5", configuration({false}).dump(), named_weights(Weights()));
  expect_the_network(folder / "net.h5");
}

TEST(Keras, AZipFileOfKeras3IsTheNetworkBuiltByHand) {
  const ScratchFolder folder;
  test::write_keras_zip(folder / "net.keras", configuration({true}).dump(), numbered_weights(Weights()));
  expect_the_network(folder / "net.keras");
}

TEST(Keras, AConfigurationTakesTheWeightsBesideIt) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "model.h5", "", named_weights(Weights()));
  auto model = configuration({false});
  model["keras_version"] = "2.11.0";
  write_file(folder / "model.json", model.dump());
  expect_the_network(folder / "model.json");
}

TEST(Keras, TheDigestOfAConfigurationChangesWithTheWeightsBesideIt) {
  const ScratchFolder folder;
  auto model = configuration({false});
  model["keras_version"] = "2.11.0";
  write_file(folder / "model.json", model.dump());
  Weights weights;
  test::write_keras_h5(folder / "model.h5", "", named_weights(weights));
  const auto digest = [&] { return load_model(folder / "model.json").digest; };
  const auto first = digest();
  EXPECT_EQ(digest(), first);
  weights.dense = draw({4 * 5 * 5, 7}, 15);
  test::write_keras_h5(folder / "model.h5", "", named_weights(weights));
  EXPECT_NE(digest(), first);
}

TEST(Keras, WeightsWithoutConfigurationAskForIt) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "weights.h5", "", named_weights(Weights()));
  EXPECT_THAT(message_of([&] { load_model(folder / "weights.h5"); }),
              HasSubstr("holds weights only; give its model.json"));
}

/// A base model inside a model, as transfer learning leaves it.
json nested_configuration() {
  json inner = json::array();
  inner.push_back({{"class_name", "Conv2D"},
                   {"config",
                    {{"name", "block1"},
                     {"batch_input_shape", {nullptr, 8, 8, 1}},
                     {"kernel_size", {3, 3}},
                     {"strides", {1, 1}},
                     {"padding", "valid"},
                     {"use_bias", true},
                     {"activation", "relu"}}}});
  json outer = json::array();
  outer.push_back({{"class_name", "Sequential"}, {"config", {{"name", "base"}, {"layers", inner}}}});
  outer.push_back({{"class_name", "GlobalMaxPooling2D"}, {"config", {{"name", "pool"}}}});
  outer.push_back({{"class_name", "Dense"},
                   {"config", {{"name", "head"}, {"units", 7}, {"use_bias", true}, {"activation", "linear"}}}});
  outer[0]["config"]["build_input_shape"] = {nullptr, 8, 8, 1};
  return {{"class_name", "Sequential"},
          {"config", {{"name", "whole"}, {"build_input_shape", {nullptr, 8, 8, 1}}, {"layers", outer}}}};
}

TEST(Keras, AModelInsideAModelKeepsItsWeights) {
  const ScratchFolder folder;
  const auto kernel = draw({3, 3, 1, 4}, 1), bias = draw({4}, 2), dense = draw({4, 7}, 3), dense_bias = draw({7}, 4);
  const auto config = nested_configuration().dump();
  test::write_keras_h5(folder / "net.h5", config,
                       {{"base", {{"block1/kernel", kernel}, {"block1/bias", bias}}},
                        {"pool", {}},
                        {"head", {{"kernel", dense}, {"bias", dense_bias}}}});
  test::write_keras_zip(folder / "net.keras", config,
                        {{"layers/sequential/layers/conv2d", {{"kernel", kernel}, {"bias", bias}}},
                         {"layers/dense", {{"kernel", dense}, {"bias", dense_bias}}}});
  const auto x = images(2).slice(1, 0, 1).slice(2, 0, 8).slice(3, 0, 8).contiguous();
  const auto expected = at::matmul(at::relu(at::conv2d(x, as_torch(kernel), bias)).amax({2, 3}), dense) + dense_bias;
  for (const char* file : {"net.h5", "net.keras"}) {
    const auto logits = make_classifier(load_model(folder / file), {0, "fp32"}).logits(x);
    EXPECT_TRUE(at::allclose(logits, expected, 1e-4, 1e-4)) << file;
  }
}

TEST(Keras, LayersOfOneNameInTwoInnerModelsKeepTheirOwnWeights) {
  const auto conv = [](int64_t channels) {
    return json{{"class_name", "Conv2D"},
                {"config",
                 {{"name", "conv"},
                  {"batch_input_shape", {nullptr, 8, 8, channels}},
                  {"filters", 2},
                  {"kernel_size", {3, 3}},
                  {"strides", {1, 1}},
                  {"padding", "valid"},
                  {"use_bias", false},
                  {"activation", "relu"}}}};
  };
  const auto sequential = [](const std::string& name, const std::vector<json>& layers) {
    return json{{"class_name", "Sequential"}, {"config", {{"name", name}, {"layers", layers}}}};
  };
  auto whole = nested_configuration();
  whole["config"]["layers"][0] =
      sequential("base", {sequential("first", {conv(1)}), sequential("second", {conv(2)}), conv(2)});
  const auto first = draw({3, 3, 1, 2}, 1), second = draw({3, 3, 2, 2}, 2), third = draw({3, 3, 2, 2}, 3);
  const auto dense = draw({2, 7}, 4), dense_bias = draw({7}, 5);
  const ScratchFolder folder;
  test::write_keras_h5(
      folder / "net.h5", whole.dump(),
      {{"base", {{"first/conv/kernel", first}, {"second/conv/kernel", second}, {"conv/kernel", third}}},
       {"pool", {}},
       {"head", {{"kernel", dense}, {"bias", dense_bias}}}});
  auto x = images(2).slice(1, 0, 1).slice(2, 0, 8).slice(3, 0, 8).contiguous();
  const auto logits = make_classifier(load_model(folder / "net.h5"), {0, "fp32"}).logits(x);
  for (const auto& kernel : {first, second, third}) x = at::relu(at::conv2d(x, as_torch(kernel)));
  EXPECT_TRUE(at::allclose(logits, at::matmul(x.amax({2, 3}), dense) + dense_bias, 1e-4, 1e-4));
}

TEST(Keras, AModelThatComesFirstGivesTheInputsShape) {
  const ScratchFolder folder;
  auto config = nested_configuration();
  config["config"].erase("build_input_shape");
  config["config"]["layers"][0]["config"].erase("build_input_shape");
  test::write_keras_h5(folder / "net.h5", config.dump(),
                       {{"base", {{"block1/kernel", draw({3, 3, 1, 4}, 1)}, {"block1/bias", draw({4}, 2)}}},
                        {"pool", {}},
                        {"head", {{"kernel", draw({4, 7}, 3)}, {"bias", draw({7}, 4)}}}});
  const auto input = load_model(folder / "net.h5").preprocessing;
  EXPECT_EQ((std::vector<int64_t>{input.size, input.columns(), input.channels}), (std::vector<int64_t>{8, 8, 1}));
}

TEST(Keras, TransposedConvolutionsHaveTensorFlowsSize) {
  const ScratchFolder folder;
  const auto kernel = draw({3, 3, 7, 2}, 1);
  json layers = json::array();
  layers.push_back({{"class_name", "Conv2DTranspose"},
                    {"config",
                     {{"name", "up"},
                      {"batch_input_shape", {nullptr, 4, 4, 1}},
                      {"kernel_size", {3, 3}},
                      {"strides", {2, 2}},
                      {"padding", "same"},
                      {"use_bias", false},
                      {"output_padding", nullptr}}}});
  layers[0]["config"]["batch_input_shape"] = {nullptr, 4, 4, 1};
  layers.push_back({{"class_name", "GlobalMaxPooling2D"}, {"config", {{"name", "pool"}}}});
  const auto narrow = kernel.slice(3, 0, 1).contiguous();
  test::write_keras_h5(folder / "net.h5", json({{"class_name", "Sequential"}, {"config", layers}}).dump(),
                       {{"up", {{"kernel", narrow}}}, {"pool", {}}});
  const auto x = images(2).slice(1, 0, 1).slice(2, 0, 4).slice(3, 0, 4).contiguous();
  // The gradient of a 3x3 convolution with stride 2 over 8x8 pixels, which pads one pixel after the image.
  const auto full = at::conv_transpose2d(x, narrow.permute({3, 2, 0, 1}).contiguous(), {}, 2);
  const auto expected = full.slice(2, 0, 8).slice(3, 0, 8).amax({2, 3});
  const auto logits = make_classifier(load_model(folder / "net.h5"), {0, "fp32"}).logits(x);
  EXPECT_TRUE(at::allclose(logits, expected, 1e-4, 1e-4)) << logits - expected;
}

/// One layer on 4x4 grey images, and a dense layer over its pixels.
std::string behind(const std::string& layer, json config, const std::filesystem::path& file,
                   const torch::Tensor& dense) {
  config["name"] = "tested";
  config["batch_input_shape"] = {nullptr, 4, 4, 1};
  json layers = json::array();
  layers.push_back({{"class_name", layer}, {"config", config}});
  layers.push_back({{"class_name", "Flatten"}, {"config", {{"name", "flat"}}}});
  layers.push_back({{"class_name", "Dense"},
                    {"config", {{"name", "head"}, {"units", 7}, {"use_bias", true}, {"activation", "linear"}}}});
  test::write_keras_h5(file, json({{"class_name", "Sequential"}, {"config", layers}}).dump(),
                       {{"tested", {}}, {"flat", {}}, {"head", {{"kernel", dense}, {"bias", torch::zeros({7})}}}});
  return message_of([&] { load_model(file); });
}

TEST(Keras, NearestResizingTakesThePixelUnderTheCentre) {
  const ScratchFolder folder;
  const auto dense = draw({7 * 7, 7}, 1);
  EXPECT_EQ(behind("Resizing", {{"height", 7}, {"width", 7}, {"interpolation", "nearest"}}, folder / "net.h5", dense),
            "");
  const auto x = images(2).slice(1, 0, 1).slice(2, 0, 4).slice(3, 0, 4).contiguous();
  const auto places = torch::tensor({0, 0, 1, 2, 2, 3, 3}, torch::kInt64);
  const auto expected = x.index_select(2, places).index_select(3, places).flatten(1).matmul(dense);
  const auto logits = make_classifier(load_model(folder / "net.h5"), {0, "fp32"}).logits(x);
  EXPECT_TRUE(at::allclose(logits, expected, 1e-4, 1e-4)) << logits - expected;
}

TEST(Keras, WhatALayerDoesBesidesIsRefused) {
  const ScratchFolder folder;
  const auto dense = draw({7 * 7, 7}, 1);
  for (const char* key : {"crop_to_aspect_ratio", "pad_to_aspect_ratio"}) {
    EXPECT_THAT(behind("Resizing", {{"height", 7}, {"width", 7}, {key, true}}, folder / "net.h5", dense),
                HasSubstr(std::string(key) + " is not supported"));
  }
  EXPECT_THAT(behind("Normalization", {{"mean", 0.5}, {"variance", 1.0}, {"invert", true}}, folder / "net.h5", dense),
              HasSubstr("invert is not supported"));
}

TEST(Keras, UnsupportedLayersAreAllNamed) {
  const ScratchFolder folder;
  auto model = configuration({false});
  model["config"]["layers"][3]["class_name"] = "Lambda";
  model["config"]["layers"][7]["class_name"] = "LSTM";
  test::write_keras_h5(folder / "net.h5", model.dump(), named_weights(Weights()));
  EXPECT_THAT(message_of([&] { load_model(folder / "net.h5"); }),
              HasSubstr("not supported: LSTM (add); Lambda (relu)"));
}

TEST(Keras, ACycleIsRefused) {
  const ScratchFolder folder;
  auto model = configuration({false});
  model["config"]["layers"][2]["inbound_nodes"][0][0][0] = "dropout";
  test::write_keras_h5(folder / "net.h5", model.dump(), named_weights(Weights()));
  EXPECT_THAT(message_of([&] { load_model(folder / "net.h5"); }), HasSubstr("waits for inputs that nothing makes"));
}

/// Of a network with two outputs.
double seconds_to_read(const std::filesystem::path& file) {
  ImportOptions options;
  options.labels = LabelSet({"a", "b"});
  const std::clock_t start = std::clock();
  load_model(file, options);
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

const json kTwoPixels = {nullptr, 1, 2, 1};

/// A functional model of an input of two pixels, these layers and a Flatten of the value of `last`.
std::string functional(const std::vector<json>& layers, const json& last) {
  json all = json::array({layer("InputLayer", "input", {{"batch_input_shape", kTwoPixels}}, json::array())});
  for (const auto& each : layers) all.push_back(each);
  all.push_back(layer("Flatten", "flat", json::object(), json::array({json::array({last})})));
  return json({{"class_name", "Functional"},
               {"config",
                {{"name", "net"},
                 {"layers", all},
                 {"input_layers", {{"input", 0, 0}}},
                 {"output_layers", {{"flat", 0, 0}}}}}})
      .dump();
}

json value_of(const std::string& name, int64_t call = 0) {
  return {name, call, 0, json::object()};
}

/// The first layer of the file waits for the second at each of its calls.
TEST(Keras, CallsThatWaitForEachOtherCostInProportion) {
  const ScratchFolder folder;
  const auto seconds = [&](int64_t calls) {
    json first = json::array(), second = json::array();
    for (int64_t call = 0; call < calls; ++call) {
      first.push_back(json::array({value_of("second", call)}));
      second.push_back(json::array({call == 0 ? value_of("input") : value_of("first", call - 1)}));
    }
    const json config = {{"activation", "linear"}};
    test::write_keras_h5(
        folder / "net.h5",
        functional({layer("Activation", "first", config, first), layer("Activation", "second", config, second)},
                   value_of("first", calls - 1)),
        {});
    return seconds_to_read(folder / "net.h5");
  };
  const double few = seconds(500), many = seconds(4000);
  EXPECT_LT(many, 20 * std::max(few, 1e-2)) << few << " s, then " << many << " s";
}

/// The sum comes before all that it adds up.
TEST(Keras, InputsThatALayerWaitsForCostInProportion) {
  const ScratchFolder folder;
  const auto seconds = [&](int64_t count) {
    std::vector<json> layers(1);
    json terms = json::array();
    for (int64_t i = 0; i < count; ++i) {
      const std::string name = "term" + std::to_string(i);
      terms.push_back(value_of(name));
      layers.push_back(
          layer("Activation", name, {{"activation", "linear"}}, json::array({json::array({value_of("input")})})));
    }
    layers.front() = layer("Add", "sum", json::object(), json::array({terms}));
    test::write_keras_h5(folder / "net.h5", functional(layers, value_of("sum")), {});
    return seconds_to_read(folder / "net.h5");
  };
  const double few = seconds(250), many = seconds(2000);
  EXPECT_LT(many, 20 * std::max(few, 1e-2)) << few << " s, then " << many << " s";
}

TEST(Keras, NamesOfWeightsAreSplitOnceForAllLayersOfAGroup) {
  const ScratchFolder folder;
  std::vector<std::string> names = {"d/kernel:0", "d/bias:0"};
  for (int i = 0; i < 2500; ++i) names.push_back("a/b/c/d/e/f/g" + std::to_string(i));
  const auto seconds = [&](int64_t layers) {
    const json dense = {{"class_name", "Dense"},
                        {"config", {{"name", "d"}, {"units", 1}, {"batch_input_shape", kTwoPixels}}}};
    const std::vector<json> inner(static_cast<size_t>(layers), dense);
    const json outer = {{{"class_name", "Sequential"}, {"config", {{"name", "base"}, {"layers", inner}}}},
                        {{"class_name", "Flatten"}, {"config", {{"name", "flat"}}}}};
    test::write_keras_h5(folder / "net.h5", json({{"class_name", "Sequential"}, {"config", outer}}).dump(),
                         {{"base", {{"d/kernel", torch::ones({1, 1})}, {"d/bias", torch::zeros({1})}}}});
    test::list_weights(folder / "net.h5", "base", names);
    return seconds_to_read(folder / "net.h5");
  };
  const double few = seconds(2), many = seconds(300);
  EXPECT_LT(many, 10 * std::max(few, 1e-2)) << few << " s, then " << many << " s";
}

TEST(Keras, AMissingWeightIsNamedWithItsLayer) {
  const ScratchFolder folder;
  auto layers = named_weights(Weights());
  layers[2].weights.pop_back();
  test::write_keras_h5(folder / "net.h5", configuration({false}).dump(), layers);
  EXPECT_THAT(message_of([&] { load_model(folder / "net.h5"); }),
              HasSubstr("layer 'norm': its weight 'moving_variance' is missing"));
}

TEST(Keras, WeightsOfAnotherShapeAreRefused) {
  const ScratchFolder folder;
  Weights weights;
  weights.dense = draw({99, 7}, 1);
  test::write_keras_h5(folder / "net.h5", configuration({false}).dump(), named_weights(weights));
  EXPECT_THAT(message_of([&] { load_model(folder / "net.h5"); }),
              HasSubstr("layer 'predictions': its input has shape (100)"));
}

TEST(Keras, TruncatedAndScrambledFilesAreRefused) {
  const ScratchFolder folder;
  test::write_keras_h5(folder / "net.h5", configuration({false}).dump(), named_weights(Weights()));
  test::write_keras_zip(folder / "net.keras", configuration({true}).dump(), numbered_weights(Weights()));
  for (const char* file : {"net.h5", "net.keras"}) {
    const std::string whole = read_file(folder / file);
    for (const double share : {0.1, 0.5, 0.9}) {
      write_file(folder / "cut", whole.substr(0, static_cast<size_t>(static_cast<double>(whole.size()) * share)));
      EXPECT_NE(message_of([&] { load_model(folder / "cut"); }), "") << file << " " << share;
    }
  }
  std::string config = configuration({false}).dump();
  for (size_t i = 7; i < config.size(); i += 97) {
    std::string scrambled = config;
    scrambled[i] = scrambled[i] == '2' ? '9' : '2';
    test::write_keras_h5(folder / "net.h5", scrambled, named_weights(Weights()));
    message_of([&] { load_model(folder / "net.h5"); });  // anything but a UserError fails the test
  }
}

}  // namespace

}  // namespace fercli
