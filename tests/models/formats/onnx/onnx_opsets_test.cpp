// What ONNX's operators mean changes with the opset: tiny files of opsets 9 to 20 against LibTorch.
#include <ATen/ATen.h>

#include "core/files.hpp"
#include "core/random.hpp"
#include "models/files/onnx_proto.hpp"
#include "models/formats/export.hpp"
#include "models/formats/import.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/models/formats/onnx/onnx_exports.hpp"
#include "tests/models/formats/onnx/onnx_file.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::message_of;
using test::ScratchFolder;
using testing::HasSubstr;
using Node = test::OnnxNode;
using T = torch::Tensor;

constexpr int64_t kChannels = 3, kHeight = 4, kWidth = 6;

/// The last output "y" is compared.
struct Case {
  std::string name;
  int64_t opset;
  std::vector<Node> nodes;
  std::function<T(const T&)> expected;
};

/// The nodes, and a flattening that makes logits of "y".
void write_model(const Case& wanted, const std::filesystem::path& path) {
  auto nodes = wanted.nodes;
  nodes.push_back({"Flatten", {"y"}, {{"axis", 1}}, {"logits"}});
  test::write_onnx({wanted.name, wanted.opset, "x", {kChannels, kHeight, kWidth}, nodes, {"logits"}}, path);
}

T image(int64_t n) {
  return test::noise_images(n, {kChannels, kHeight, kWidth}, 4);
}

T draw(std::vector<int64_t> shape, uint64_t seed = 1) {
  return normal_rows(Rng(seed), {0}, shape)[0];
}
T whole(std::vector<int64_t> values) {
  return torch::tensor(values, torch::kInt64);
}
T scalar(float value) {
  return torch::tensor(value);
}
T reals(std::vector<float> values) {
  return torch::tensor(values);
}

/// Each pixel, and between two of a row their mean; the last is repeated.
T linear_columns(const T& x) {
  const auto next = at::cat({x.slice(3, 1), x.slice(3, kWidth - 1)}, 3);
  return at::stack({x, (x + next) / 2}, 4).flatten(3);
}

std::vector<Case> arithmetic_cases() {
  const auto clipped = [](const T& x) { return at::clamp(x, 0.2, 0.6); };
  const auto below = [](const T& x) { return at::clamp_max(x, 0.6); };
  const auto mean = [](const T& x) { return x.mean({2, 3}); };
  const auto columns = [](const T& x) { return x.sum({3}, true); };
  std::vector<Case> cases = {
      {"Clip_attributes", 9, {{"Clip", {"x"}, {{"min", 0.2}, {"max", 0.6}}}}, clipped},
      {"Clip_attributes", 10, {{"Clip", {"x"}, {{"max", 0.6}}}}, below},
      {"Clip_inputs", 11, {{"Clip", {"x", scalar(0.2F), scalar(0.6F)}}}, clipped},
      {"Clip_without_min", 12, {{"Clip", {"x", "", scalar(0.6F)}}}, below},
      {"Clip_inputs", 13, {{"Clip", {"x", scalar(0.2F), scalar(0.6F)}}}, clipped},
      {"ReduceMean_attribute", 9, {{"ReduceMean", {"x"}, {{"axes", {2, 3}}, {"keepdims", 0}}}}, mean},
      {"ReduceMean_negative", 13, {{"ReduceMean", {"x"}, {{"axes", {-1, -2}}, {"keepdims", 0}}}}, mean},
      {"ReduceMean_attribute", 17, {{"ReduceMean", {"x"}, {{"axes", {2, 3}}, {"keepdims", 0}}}}, mean},
      {"ReduceMean_input", 18, {{"ReduceMean", {"x", whole({2, 3})}, {{"keepdims", 0}}}}, mean},
      {"ReduceSum_attribute", 11, {{"ReduceSum", {"x"}, {{"axes", {3}}}}}, columns},
      {"ReduceSum_input", 13, {{"ReduceSum", {"x", whole({3})}}}, columns},
      {"ReduceSum_noop", 13, {{"ReduceSum", {"x"}, {{"noop_with_empty_axes", 1}}}}, [](const T& x) { return x; }},
      {"ReduceMax_attribute", 13, {{"ReduceMax", {"x"}, {{"axes", {1}}}}}, [](const T& x) { return x.amax(1); }},
      {"HardSwish", 14, {{"HardSwish", {"x"}}}, [](const T& x) { return at::hardswish(x); }},
      {"Max_of_three",
       13,
       {{"Max", {"x", scalar(0.3F), scalar(0.5F)}}},
       [](const T& x) { return at::clamp_min(x, 0.5); }},
  };
  const auto from = [](int64_t axis) { return [axis](const T& x) { return at::softmax(x.flatten(axis), axis); }; };
  const auto along = [](int64_t axis) { return [axis](const T& x) { return at::softmax(x, axis); }; };
  const std::vector<Case> softmax = {
      {"Softmax_default", 9, {{"Softmax", {"x"}}}, from(1)},
      {"Softmax_default", 12, {{"Softmax", {"x"}}}, from(1)},
      {"Softmax_rows_and_columns", 11, {{"Softmax", {"x"}, {{"axis", 2}}}}, from(2)},
      {"Softmax_negative", 11, {{"Softmax", {"x"}, {{"axis", -1}}}}, along(3)},
      {"Softmax_default", 13, {{"Softmax", {"x"}}}, along(3)},
      {"Softmax_channels", 13, {{"Softmax", {"x"}, {{"axis", 1}}}}, along(1)},
      {"LogSoftmax_default", 11, {{"LogSoftmax", {"x"}}}, [](const T& x) { return at::log_softmax(x.flatten(1), 1); }},
      {"LogSoftmax_default", 13, {{"LogSoftmax", {"x"}}}, [](const T& x) { return at::log_softmax(x, 3); }},
  };
  cases.insert(cases.end(), softmax.begin(), softmax.end());
  return cases;
}

std::vector<Case> shape_cases() {
  const auto margin = [](const T& x) { return at::constant_pad_nd(x, {0, 2, 1, 0}, 0.5); };
  const auto mirrored = [](const T& x) { return at::reflection_pad2d(x, {1, 1, 2, 0}); };
  const auto pads = whole({0, 0, 1, 0, 0, 0, 0, 2});
  const auto average = [](const T& x) { return x.mean(1); };
  const auto cut = [](const T& x) { return x.slice(2, 1, 3).slice(3, 0, 5); };
  const auto swapped = [](const T& x) { return at::cat({x.slice(3, 2), x.slice(3, 0, 2)}, 3); };
  const Node join{"Concat", {"b", "a"}, {{"axis", 3}}};
  return {
      {"Pad_attributes", 9, {{"Pad", {"x"}, {{"pads", {0, 0, 1, 0, 0, 0, 0, 2}}, {"value", 0.5}}}}, margin},
      {"Pad_reflect", 10, {{"Pad", {"x"}, {{"pads", {0, 0, 2, 1, 0, 0, 0, 1}}, {"mode", "reflect"}}}}, mirrored},
      {"Pad_inputs", 11, {{"Pad", {"x", pads, scalar(0.5F)}}}, margin},
      {"Pad_reflect", 13, {{"Pad", {"x", whole({0, 0, 2, 1, 0, 0, 0, 1})}, {{"mode", "reflect"}}}}, mirrored},
      {"Pad_of_axes", 18, {{"Pad", {"x", whole({1, 0, 0, 2}), scalar(0.5F), whole({2, -1})}}}, margin},
      {"Unsqueeze_attribute",
       11,
       {{"Unsqueeze", {"x"}, {{"axes", {1}}}, {"u"}}, {"ReduceMean", {"u"}, {{"axes", {2}}}}},
       average},
      {"Unsqueeze_input",
       13,
       {{"Unsqueeze", {"x", whole({1})}, {}, {"u"}}, {"ReduceMean", {"u"}, {{"axes", {2}}}}},
       average},
      {"Squeeze_attribute",
       11,
       {{"ReduceMean", {"x"}, {{"axes", {1}}}, {"m"}},
        {"Squeeze", {"m"}, {{"axes", {1}}}, {"s"}},
        {"ReduceMean", {"s"}, {{"axes", {1}}}}},
       [](const T& x) {
         return x.mean({1, 2});
       }},
      {"Squeeze_input",
       13,
       {{"ReduceMean", {"x"}, {{"axes", {1}}}, {"m"}},
        {"Squeeze", {"m", whole({-3})}, {}, {"s"}},
        {"ReduceMean", {"s"}, {{"axes", {1}}}}},
       [](const T& x) {
         return x.mean({1, 2});
       }},
      {"Slice_attributes", 9, {{"Slice", {"x"}, {{"axes", {2, 3}}, {"starts", {1, 0}}, {"ends", {3, -1}}}}}, cut},
      {"Slice_inputs", 10, {{"Slice", {"x", whole({1, 0}), whole({3, -1}), whole({2, 3})}}}, cut},
      {"Slice_steps",
       13,
       {{"Slice", {"x", whole({0}), whole({1000}), whole({3}), whole({2})}}},
       [](const T& x) { return x.slice(3, 0, 6, 2); }},
      {"Split_attribute", 11, {{"Split", {"x"}, {{"axis", 3}, {"split", {2, 4}}}, {"a", "b"}}, join}, swapped},
      {"Split_input", 13, {{"Split", {"x", whole({2, 4})}, {{"axis", 3}}, {"a", "b"}}, join}, swapped},
      {"Split_evenly",
       11,
       {{"Split", {"x"}, {{"axis", 3}}, {"a", "b"}}, join},
       [](const T& x) {
         return at::cat({x.slice(3, 3), x.slice(3, 0, 3)}, 3);
       }},
      {"Split_unevenly",
       18,
       {{"Split", {"x"}, {{"axis", 1}, {"num_outputs", 2}}, {"a", "b"}}, {"Concat", {"b", "a"}, {{"axis", 1}}}},
       [](const T& x) {
         return at::cat({x.slice(1, 2), x.slice(1, 0, 2)}, 1);
       }},
      {"Reshape_by_part_of_a_shape",
       15,
       {{"Shape", {"x"}, {{"start", 0}, {"end", 1}}, {"n"}},
        {"Concat", {"n", whole({-1})}, {{"axis", 0}}, {"s"}},
        {"Reshape", {"x", "s"}, {}, {"r"}},
        {"Softmax", {"r"}}},
       [](const T& x) { return at::softmax(x.flatten(1), 1); }},
      {"Dropout_attribute", 10, {{"Dropout", {"x"}, {{"ratio", 0.5}}}}, [](const T& x) { return x; }},
      {"Dropout_input", 12, {{"Dropout", {"x", scalar(0.5F)}}}, [](const T& x) { return x; }},
      {"Dropout_not_in_training",
       13,
       {{"Dropout", {"x", scalar(0.5F), torch::tensor(false)}}},
       [](const T& x) { return x; }},
  };
}

std::vector<Case> window_cases() {
  const auto twice = [](const T& x) { return x.repeat_interleave(2, 2).repeat_interleave(2, 3); };
  const auto smooth = [](const T& x) { return at::upsample_bilinear2d(x, {8, 9}, false); };
  const auto scale = draw({kChannels}, 2) + 2, shift = draw({kChannels}, 3), mean = draw({kChannels}, 4),
             variance = draw({kChannels}, 5).abs() + 0.5;
  const auto normal = [=](const T& x) {
    return at::batch_norm(x, scale, shift, mean, variance, false, 0, 1e-3, false);
  };
  const auto batch_norm = [&](json attributes) {
    attributes["epsilon"] = 1e-3;
    return std::vector<Node>{{"BatchNormalization", {"x", scale, shift, mean, variance}, attributes}};
  };
  const auto doubled = reals({1, 1, 2, 2}), none = torch::empty({0});
  const auto weight = draw({kChannels, 2, 3, 3}, 6), nought = torch::zeros({}, torch::kUInt8);
  return {
      {"Upsample_nearest", 9, {{"Upsample", {"x", doubled}, {{"mode", "nearest"}}}}, twice},
      {"Upsample_linear", 9, {{"Upsample", {"x", reals({1, 1, 1, 2})}, {{"mode", "linear"}}}}, linear_columns},
      {"Upsample_attribute", 7, {{"Upsample", {"x"}, {{"mode", "nearest"}, {"scales", {1.0, 1.0, 2.0, 2.0}}}}}, twice},
      {"Resize_nearest", 10, {{"Resize", {"x", doubled}, {{"mode", "nearest"}}}}, twice},
      {"Resize_linear", 10, {{"Resize", {"x", reals({1, 1, 1, 2})}, {{"mode", "linear"}}}}, linear_columns},
      {"Resize_nearest", 11, {{"Resize", {"x", none, doubled}}}, twice},
      {"Resize_linear", 11, {{"Resize", {"x", none, reals({1, 1, 2, 1.5F})}, {{"mode", "linear"}}}}, smooth},
      {"Resize_sizes", 11, {{"Resize", {"x", none, none, whole({2, 3, 8, 9})}, {{"mode", "linear"}}}}, smooth},
      {"Resize_asymmetric",
       11,
       {{"Resize",
         {"x", none, reals({1, 1, 1, 2})},
         {{"mode", "linear"}, {"coordinate_transformation_mode", "asymmetric"}}}},
       linear_columns},
      {"Resize_sizes", 13, {{"Resize", {"x", "", "", whole({2, 3, 8, 9})}, {{"mode", "linear"}}}}, smooth},
      {"Resize_of_axes",
       18,
       {{"Resize", {"x", "", "", whole({8, 9})}, {{"mode", "linear"}, {"axes", {2, 3}}}}},
       smooth},
      {"Resize_at_its_defaults",
       18,
       {{"Resize",
         {"x", "", reals({2, 1.5F})},
         {{"mode", "linear"}, {"axes", {2, 3}}, {"antialias", 0}, {"keep_aspect_ratio_policy", "stretch"}}}},
       smooth},
      {"QuantizeLinear_at_its_default",
       19,
       {{"QuantizeLinear", {"x", scalar(0.01F), nought}, {{"saturate", 1}}, {"q"}},
        {"DequantizeLinear", {"q", scalar(0.01F), nought}}},
       [](const T& x) { return at::round(x / 0.01F) * 0.01F; }},
      {"Reshape_at_its_default",
       14,
       {{"Reshape", {"x", whole({0, -1})}, {{"allowzero", 0}}}},
       [](const T& x) { return x.flatten(1); }},
      {"BatchNormalization", 9, batch_norm({{"momentum", 0.9}}), normal},
      {"BatchNormalization", 14, batch_norm({{"training_mode", 0}}), normal},
      {"BatchNormalization", 15, batch_norm(json::object()), normal},
      {"MaxPool_dilated",
       10,
       {{"MaxPool", {"x"}, {{"kernel_shape", {2, 2}}, {"dilations", {2, 2}}}}},
       [](const T& x) {
         return at::max_pool2d(x, {2, 2}, {1, 1}, {0, 0}, {2, 2});
       }},
      {"MaxPool_rounded_up",
       10,
       {{"MaxPool", {"x"}, {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"ceil_mode", 1}}}},
       [](const T& x) {
         return at::max_pool2d(x, {3, 3}, {2, 2}, {0, 0}, {1, 1}, true);
       }},
      {"AveragePool_padding_left_out",
       9,
       {{"AveragePool", {"x"}, {{"kernel_shape", {3, 3}}, {"pads", {1, 1, 1, 1}}}}},
       [](const T& x) {
         return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, false);
       }},
      {"AveragePool_padding_counted",
       11,
       {{"AveragePool", {"x"}, {{"kernel_shape", {3, 3}}, {"pads", {1, 1, 1, 1}}, {"count_include_pad", 1}}}},
       [](const T& x) {
         return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, false, true);
       }},
      {"ConvTranspose_of_a_wanted_shape",
       11,
       {{"ConvTranspose", {"x", weight}, {{"strides", {2, 2}}, {"output_shape", {8, 12}}}}},
       [=](const T& x) { return at::conv_transpose2d(x, weight, {}, 2).slice(2, 1).slice(3, 1); }},
      {"LayerNormalization",
       17,
       {{"LayerNormalization", {"x", draw({kWidth}, 7), draw({kWidth}, 8)}}},
       [](const T& x) { return at::layer_norm(x, {kWidth}, draw({kWidth}, 7), draw({kWidth}, 8)); }},
  };
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& group : {arithmetic_cases(), shape_cases(), window_cases()})
    cases.insert(cases.end(), group.begin(), group.end());
  return cases;
}

/// Writes every case to a file, and expects what `load` makes of that file to compute what the case says.
void expect_meaning(
    const std::function<Checkpoint(const std::filesystem::path& file, const ImportOptions& options)>& load) {
  const ScratchFolder folder;
  const auto x = image(2);
  for (const auto& wanted : all_cases()) {
    SCOPED_TRACE(wanted.name + " of opset " + std::to_string(wanted.opset));
    write_model(wanted, folder / "net.onnx");
    const auto expected = wanted.expected(x).reshape({x.size(0), -1});
    ImportOptions options;
    options.labels = test::numbered_classes(expected.size(1));
    options.strip_softmax = false;  // each operator is to be seen
    T logits;
    EXPECT_EQ(message_of([&] {
                logits = make_classifier(load(folder / "net.onnx", options), {1, "fp32"}).logits(x);
              }),
              "");
    if (!logits.defined()) continue;
    EXPECT_TRUE(at::allclose(logits, expected, 1e-4, 1e-5)) << (logits - expected).abs().max().item<double>();
  }
}

TEST(OnnxOpsets, OperatorsMeanWhatTheirOpsetSays) {
  expect_meaning([](const auto& file, const auto& options) { return load_model(file, options); });
}

/// What the opset declared does not know.
void expect_known(const std::filesystem::path& file) {
  static const std::map<std::string, std::set<std::string>> unknown = {
      {"Resize", {"scales", "axes", "antialias", "keep_aspect_ratio_policy"}},
      {"Reshape", {"allowzero"}},
      {"BatchNormalization", {"training_mode"}},
      {"ReduceMean", {"noop_with_empty_axes"}}};
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(file)));
  const int64_t opset = model.opset_import(0).version();
  for (const auto& node : model.graph().node()) {
    const auto names = unknown.find(node.op_type());
    for (const auto& attribute : node.attribute()) {
      const bool known = names == unknown.end() || names->second.count(attribute.name()) == 0;
      EXPECT_TRUE(known) << node.op_type() << " " << attribute.name();
    }
    if (node.op_type() == "Resize") {
      EXPECT_GE(node.input_size(), 3);
      EXPECT_EQ(node.input(1), "");
    }
    if (node.op_type() == "ReduceMean" && opset < 18) {
      EXPECT_EQ(node.input_size(), 1);
    }
  }
}

TEST(OnnxOpsets, ExportedOperatorsMeanTheSameInTheOpsetDeclared) {
  expect_meaning([](const auto& file, const auto& options) {
    const auto again = file.parent_path() / "again.onnx";
    const Checkpoint original = load_model(file, options);
    export_model(original, "onnx", again);
    expect_known(again);
    static int number = 0;
    test::expect_valid_export("opset-case-" + std::to_string(++number), again, original);
    return load_model(again, options);
  });
}

/// The message with which a file of these nodes is refused.
std::string refusal(int64_t opset, const Node& node) {
  const ScratchFolder folder;
  write_model({"refused", opset, {node}, {}}, folder / "net.onnx");
  return message_of([&] { load_model(folder / "net.onnx"); });
}

TEST(OnnxOpsets, TrainingModesAreRefusedInEveryOpset) {
  const auto ones = torch::ones({kChannels});
  const Node five{"BatchNormalization", {"x", ones, ones, ones, ones}, {}, {"y", "mean", "var", "m", "v"}};
  EXPECT_THAT(refusal(9, five), HasSubstr("is in training mode"));
  const Node flagged{"BatchNormalization", {"x", ones, ones, ones, ones}, {{"training_mode", 1}}};
  EXPECT_THAT(refusal(14, flagged), HasSubstr("is in training mode"));
  const Node dropout{"Dropout", {"x", scalar(0.5F), torch::tensor(true)}};
  EXPECT_THAT(refusal(13, dropout), HasSubstr("is in training mode"));
}

TEST(OnnxOpsets, WhatIsNotSupportedIsRefused) {
  EXPECT_THAT(refusal(19, {"AveragePool", {"x"}, {{"kernel_shape", {2, 2}}, {"dilations", {2, 2}}}}),
              HasSubstr("node 'AveragePool_y'"));
  EXPECT_THAT(refusal(6, {"Relu", {"x"}}), HasSubstr("has opset 6; 7 to 20 are read"));
}

TEST(OnnxOpsets, ImagesOfImpossibleSizeAreRefusedBeforeMemoryIsTaken) {
  const ScratchFolder folder;
  write_model({"large", 13, {{"Relu", {"x"}}}, {}}, folder / "net.onnx");
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(folder / "net.onnx")));
  auto* shape = model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(3)->set_dim_value(50000);
  write_file(folder / "net.onnx", model.SerializeAsString());
  EXPECT_THAT(message_of([&] { load_model(folder / "net.onnx"); }), HasSubstr("at most 4096 pixels a side"));
}

}  // namespace

}  // namespace fercli
