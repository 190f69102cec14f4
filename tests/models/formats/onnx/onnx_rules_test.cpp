// What ONNX's specification says of operators and of whole files, against loops written by hand from it.
#include <ATen/ATen.h>

#include <cmath>

#include <limits>

#include "core/files.hpp"
#include "core/numbers.hpp"
#include "core/progress.hpp"
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
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Node = test::OnnxNode;
using T = torch::Tensor;

constexpr int64_t kChannels = 3, kHeight = 5, kWidth = 6;

T drawn(std::vector<int64_t> shape, uint64_t seed) {
  return normal_rows(Rng(seed), {0}, shape)[0];
}
T wholes(std::vector<int64_t> values) {
  return torch::tensor(values, torch::kInt64);
}
T reals(std::vector<float> values) {
  return torch::tensor(values);
}

T pixels(int64_t n) {
  return test::noise_images(n, {kChannels, kHeight, kWidth}, 8);
}

void write(const std::vector<Node>& nodes, const std::filesystem::path& path,
           std::vector<std::string> outputs = {"logits"}, int64_t opset = 13) {
  test::write_onnx({"rules", opset, "x", {kChannels, kHeight, kWidth}, nodes, std::move(outputs)}, path);
}

/// The network of these nodes, whose last value "y" is flattened into logits.
Checkpoint network_of(std::vector<Node> nodes, int64_t outputs, const std::filesystem::path& path, int64_t opset = 13) {
  nodes.push_back({"Flatten", {"y"}, {{"axis", 1}}, {"logits"}});
  write(nodes, path, {"logits"}, opset);
  ImportOptions options;
  options.labels = test::numbered_classes(outputs);
  return load_model(path, options);
}

void expect_logits(const Checkpoint& checkpoint, const T& expected, double tolerance = 1e-5) {
  const auto logits = make_classifier(checkpoint, {1, "fp32"}).logits(pixels(2));
  ASSERT_EQ(logits.sizes(), expected.reshape({2, -1}).sizes());
  EXPECT_LT((logits - expected.reshape({2, -1})).abs().max().item<double>(), tolerance);
}

/// And so does the file that is exported.
void expect_meaning(const std::string& name, const std::vector<Node>& nodes, const T& expected, int64_t opset = 13) {
  SCOPED_TRACE(name);
  const ScratchFolder folder;
  const int64_t outputs = expected.numel() / 2;
  const Checkpoint checkpoint = network_of(nodes, outputs, folder / "net.onnx", opset);
  expect_logits(checkpoint, expected);
  export_model(checkpoint, "onnx", folder / "again.onnx");
  test::expect_valid_export("rules-" + name, folder / "again.onnx", checkpoint);
  ImportOptions options;
  options.labels = test::numbered_classes(outputs);
  expect_logits(load_model(folder / "again.onnx", options), expected);
}

/// A new value for each place of x, from (n, c, row, column).
T each(const T& x, const std::function<float(int64_t, int64_t, int64_t, int64_t)>& value) {
  auto y = torch::empty_like(x);
  auto out = y.accessor<float, 4>();
  for (int64_t n = 0; n < x.size(0); ++n)
    for (int64_t c = 0; c < x.size(1); ++c)
      for (int64_t i = 0; i < x.size(2); ++i)
        for (int64_t j = 0; j < x.size(3); ++j) out[n][c][i][j] = value(n, c, i, j);
  return y;
}

TEST(OnnxRulesExport, ASlopeOfOneAxisBelongsToTheLastAxis) {
  const auto x = pixels(2), slope = drawn({kWidth}, 1), by_channel = drawn({kChannels, 1, 1}, 2);
  const auto in = (x - 0.5).contiguous();
  const auto v = in.accessor<float, 4>();
  const auto prelu = [&](const T& slopes) {
    return std::vector<Node>{{"Sub", {"x", torch::tensor(0.5F)}, {}, {"c"}}, {"PRelu", {"c", slopes}}};
  };
  expect_meaning("prelu-last-axis", prelu(slope), each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
                   return v[n][c][i][j] > 0 ? v[n][c][i][j] : v[n][c][i][j] * slope[j].item<float>();
                 }));
  expect_meaning("prelu-channels", prelu(by_channel), each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
                   return v[n][c][i][j] > 0 ? v[n][c][i][j] : v[n][c][i][j] * by_channel[c][0][0].item<float>();
                 }));
  const ScratchFolder folder;
  EXPECT_THAT(message_of([&] { network_of(prelu(drawn({kChannels}, 3)), 90, folder / "net.onnx"); }),
              HasSubstr("node 'PRelu_y' (PRelu): its slope has the shape (3) and its input (2,3,5,6): allowed are one "
                        "number, (6), (3,1,1) and what else stretches to the input"));
  EXPECT_THAT(message_of([&] {
                network_of(prelu(drawn({1, 1, 1, 1, 6}, 3)), 90, folder / "net.onnx");
              }),
              HasSubstr("(PRelu): its slope has the shape (1,1,1,1,6)"));
}

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();

TEST(OnnxRules, TheLeastWholeNumberDividedByMinusOneStopsNoProcessor) {
  const ScratchFolder folder;
  const auto checkpoint = network_of({{"Div", {wholes({kLeast, 9}), wholes({-1, -2})}, {}, {"d"}},
                                      {"Gather", {"d", wholes({1})}, {}, {"four"}},
                                      {"Cast", {"four"}, {{"to", 1}}, {"f"}},
                                      {"Mul", {"x", "f"}}},
                                     90, folder / "net.onnx");
  expect_logits(checkpoint, pixels(2) * -4);
}

/// The usual bound of Clip up to opset 10.
TEST(OnnxRules, ABoundOfClipBeyondAllWholeNumbersIsStoredAndRead) {
  const ScratchFolder folder;
  constexpr double kLargestFloat = std::numeric_limits<float>::max();
  const Node clip{"Clip", {"x"}, {{"min", -kLargestFloat}, {"max", kLargestFloat}}};
  save_checkpoint(network_of({clip}, 90, folder / "net.onnx", 10), folder / "net.pt");
  expect_logits(load_model(folder / "net.pt"), pixels(2));
}

TEST(OnnxRules, InfiniteBoundsAndPadsAreStoredAndRead) {
  const ScratchFolder folder;
  const std::vector<Node> nodes = {{"Clip", {"x"}, {{"min", -kInfinity}, {"max", kInfinity}}, {"c"}},
                                   {"Pad", {"c"}, {{"pads", {0, 0, 1, 1, 0, 0, 1, 1}}, {"value", -kInfinity}}, {"p"}},
                                   {"MaxPool", {"p"}, {{"kernel_shape", {3, 3}}}}};
  save_checkpoint(network_of(nodes, 90, folder / "net.onnx", 10), folder / "net.pt");
  expect_logits(load_model(folder / "net.pt"), at::max_pool2d(pixels(2), {3, 3}, {1, 1}, {1, 1}));
  EXPECT_THAT(message_of([&] {
                network_of({{"Clip", {"x"}, {{"max", kNaN}}}}, 90, folder / "net.onnx", 10);
              }),
              HasSubstr("node 'Clip_y' (Clip): its attribute 'max' is NaN"));
}

TEST(OnnxRules, ANodeThatMakesNothingIsRefused) {
  const ScratchFolder folder;
  const auto channels = [](int64_t seed) { return drawn({kChannels}, seed); };
  const Node idle{"BatchNormalization", {"c", channels(1), channels(2), channels(3), channels(4).abs()}, {}, {}};
  EXPECT_THAT(message_of([&] {
                network_of({{"Conv", {"x", drawn({kChannels, kChannels, 1, 1}, 5)}, {}, {"c"}}, idle, {"Relu", {"x"}}},
                           90, folder / "net.onnx");
              }),
              HasSubstr("(BatchNormalization): it has no output"));
}

/// A node whose inputs do not fit, and what is said of it.
struct Misfit {
  Node node;
  std::string sentence;
};

TEST(OnnxRules, ShapesThatDoNotFitAreNamedWithTheOperator) {
  const auto weights = drawn({4, kChannels, 3, 3}, 1);
  const std::vector<Misfit> misfits = {
      {{"Add", {"x", drawn({5}, 1)}}, "(Add): values of the shapes (2,3,5,6) and (5) do not fit together"},
      {{"Max", {"x", drawn({2, 1, 1}, 1)}}, "(Max): values of the shapes (2,3,5,6) and (2,1,1)"},
      {{"Where", {torch::ones({4}, torch::kBool), "x", "x"}}, "(Where): values of the shapes (4) and (2,3,5,6)"},
      {{"Expand", {"x", wholes({1, 2, 5, 6})}}, "(Expand): values of the shapes (2,3,5,6) and (1,2,5,6)"},
      {{"Concat", {"x", drawn({2, 3, 4, 6}, 1)}, {{"axis", 1}}},
       "(Concat): joins values of the shapes (2,3,5,6) and (2,3,4,6) along axis 1"},
      {{"Split", {"x", wholes({2, 2})}, {{"axis", 1}}, {"y", "z"}}, "(Split): cannot cut 3 entries into parts of 2, 2"},
      {{"Reshape", {"x", wholes({7, -1})}}, "(Reshape): cannot give a value of the shape (2,3,5,6) the shape (7,-1)"},
      {{"Transpose", {"x"}, {{"perm", {0, 1, 1, 3}}}},
       "(Transpose): cannot turn a value of the shape (2,3,5,6) by (0,1,1,3)"},
      {{"Pad", {"x", wholes({0, 0, 5, 0, 0, 0, 0, 0})}, {{"mode", "reflect"}}},
       "(Pad): mirrors 5 pixels of an image of 5"},
      {{"Pad", {"x", wholes({0, 0, kLeast, kLeast, 0, 0, kLeast, kLeast})}, {{"mode", "reflect"}}},
       "(Pad): has impossible pads"},
      {{"ConvTranspose", {"x", drawn({kChannels, 4, 3, 3}, 1)}, {{"pads", {kLeast, 0, 0, 0}}}},
       "(ConvTranspose): has impossible pads"},
      {{"Conv", {"x", weights}, {{"pads", {kMost, kMost, kMost, kMost}}}}, "(Conv): has impossible pads"},
      {{"MaxPool", {"x"}, {{"kernel_shape", {3, 3}}, {"pads", {kMost, kMost, kMost, kMost}}}},
       "(MaxPool): has impossible pads"},
      {{"AveragePool", {"x"}, {{"kernel_shape", {3, 3}}, {"pads", {kLeast, 0, kLeast, 0}}}},
       "(AveragePool): has impossible pads"},
      {{"MatMul", {"x", drawn({3, 4, 2}, 1)}}, "(MatMul): its factors have the shapes (2,3,5,6) and (3,4,2)"},
      {{"Conv", {"x", weights, drawn({3}, 1)}}, "(Conv): its bias has the shape (3), where (4) is needed"},
      {{"InstanceNormalization", {"x", drawn({3}, 1), drawn({6}, 1)}},
       "(InstanceNormalization): its input 3 has the shape (6), where (3)"},
      {{"BatchNormalization", {"x", drawn({3}, 1), drawn({3}, 1), drawn({6}, 1), drawn({3}, 1)}},
       "(BatchNormalization): its input 4 has the shape (6), where (3)"},
      {{"ReduceMean", {"x"}, {{"axes", {4}}}}, "(ReduceMean): axis 4 of a value with 4 axes"},
      {{"LogSoftmax", {"x"}, {{"axis", -5}}}, "(LogSoftmax): axis -5 of a value with 4 axes"}};
  for (const auto& [node, sentence] : misfits) {
    const ScratchFolder folder;
    EXPECT_THAT(message_of([&, node = node] { network_of({node}, 90, folder / "net.onnx"); }), HasSubstr(sentence))
        << node.op;
  }
}

TEST(OnnxRules, AnAttributeThatIsNoWholeNumberIsNamed) {
  const auto weights = drawn({4, kChannels, 3, 3}, 1), channels = drawn({kChannels}, 1);
  const std::vector<Misfit> misfits = {
      {{"Conv", {"x", weights}, {{"group", 1e30}}},
       "node 'Conv_y' (Conv): its attribute 'group' is 1e+30, where a whole number is needed"},
      {{"Conv", {"x", weights}, {{"group", "one"}}}, "its attribute 'group' is of the type string, where"},
      {{"Conv", {"x", weights}, {{"pads", {0.5, 0.5, 0.5, 0.5}}}}, "its attribute 'pads' is 0.5, where"},
      {{"Conv", {"x", weights}, {{"pads", 1}}}, "its attribute 'pads' is no list of whole numbers"},
      {{"LogSoftmax", {"x"}, {{"axis", 1.5}}}, "its attribute 'axis' is 1.5, where"},
      {{"BatchNormalization", {"x", channels, channels, channels, channels.abs()}, {{"training_mode", 1e30}}},
       "its attribute 'training_mode' is 1e+30, where"}};
  const ScratchFolder folder;
  for (const auto& [node, sentence] : misfits) {
    EXPECT_THAT(message_of([&, node = node] { network_of({node}, 90, folder / "net.onnx"); }), HasSubstr(sentence));
  }
  const auto checkpoint = network_of({{"Conv", {"x", weights}, {{"group", 1.0}}}}, 48, folder / "net.onnx");
  expect_logits(checkpoint, at::conv2d(pixels(2), weights), 1e-4);
}

TEST(OnnxRulesExport, InstancesHaveAnyNumberOfAxes) {
  const auto x = pixels(2), scale = drawn({3}, 1), shift = drawn({3}, 2);
  for (const int64_t groups : {1, 3}) {
    const auto scales = scale.slice(0, 0, groups).contiguous(), shifts = shift.slice(0, 0, groups).contiguous();
    const auto in_groups = x.reshape({2, groups, -1});
    const auto mean = in_groups.mean({2}, true), variance = in_groups.var({2}, false, true);
    const auto normal = (in_groups - mean) / (variance + 1e-3).sqrt();
    expect_meaning("instances-" + std::to_string(groups),
                   {{"Reshape", {"x", wholes({0, groups, -1})}, {}, {"in_groups"}},
                    {"InstanceNormalization", {"in_groups", scales, shifts}, {{"epsilon", 1e-3}}}},
                   normal * scales.view({1, -1, 1}) + shifts.view({1, -1, 1}));
  }
  const ScratchFolder folder;
  EXPECT_THAT(message_of([&] {
                network_of({{"Flatten", {"x"}, {}, {"flat"}},
                            {"InstanceNormalization", {"flat", drawn({90}, 1), drawn({90}, 2)}}},
                           90, folder / "net.onnx");
              }),
              HasSubstr("(InstanceNormalization): its input has shape (2,90), where (N,C,…) with one more axis"));
}

TEST(OnnxRulesExport, AScaleActsThoughTheSizeStays) {
  const auto x = pixels(2).contiguous();
  const auto v = x.accessor<float, 4>();
  constexpr float kScale = 1.05F;  // 5 and 6 pixels stay 5 and 6
  const auto at = [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    return v[n][c][std::clamp<int64_t>(i, 0, kHeight - 1)][std::clamp<int64_t>(j, 0, kWidth - 1)];
  };
  const auto linear = each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    const double row = (i + 0.5) / kScale - 0.5, column = (j + 0.5) / kScale - 0.5;
    const auto top = static_cast<int64_t>(std::floor(row)), left = static_cast<int64_t>(std::floor(column));
    const double down = row - top, right = column - left;
    return static_cast<float>((1 - down) * ((1 - right) * at(n, c, top, left) + right * at(n, c, top, left + 1)) +
                              down * ((1 - right) * at(n, c, top + 1, left) + right * at(n, c, top + 1, left + 1)));
  });
  const auto scales = reals({1, 1, kScale, kScale});
  expect_meaning("resize-linear", {{"Resize", {"x", "", scales}, {{"mode", "linear"}}}}, linear);
  const auto nearest = each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    return at(n, c, static_cast<int64_t>(std::floor(i / kScale)), static_cast<int64_t>(std::floor(j / kScale)));
  });
  expect_meaning("resize-nearest",
                 {{"Resize",
                   {"x", "", scales},
                   {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}}}},
                 nearest);
}

TEST(OnnxRulesExport, AScaleMayMakeNoWholeNumberOfPixels) {
  const auto x = pixels(2).contiguous();
  const auto v = x.accessor<float, 4>();
  constexpr float kDown = 1.8F, kAcross = 1.6F;  // 9 rows, and 9 columns of 9.6; in float32 8/1.6F is 5
  const auto wanted = each(torch::empty({2, kChannels, 9, 9}), [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    const float down = static_cast<float>(i) / kDown, across = static_cast<float>(j) / kAcross;
    return v[n][c][static_cast<int64_t>(std::floor(down))][static_cast<int64_t>(std::floor(across))];
  });
  expect_meaning("resize-broken",
                 {{"Resize",
                   {"x", "", reals({1, 1, kDown, kAcross})},
                   {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}}}},
                 wanted);
}

struct Pooling {
  int64_t kernel, stride;
  std::vector<int64_t> pads;  // top, left, bottom, right
  bool ceil, count;           // count: padding counts in means
};

/// By the specification: windows that begin after the image and its padding in front are left out; padding is never the
/// largest, counts in a mean when asked for, and what lies beyond it never does.
T pooled(const T& x, const Pooling& p, bool largest) {
  const auto in = x.contiguous();
  const auto v = in.accessor<float, 4>();
  const auto sides = [&](int64_t side, int64_t before, int64_t after) {
    const double steps = static_cast<double>(side + before + after - p.kernel) / p.stride;
    int64_t count = static_cast<int64_t>(p.ceil ? std::ceil(steps) : std::floor(steps)) + 1;
    while (p.ceil && (count - 1) * p.stride >= side + before) --count;
    return count;
  };
  const auto y =
      torch::empty({x.size(0), x.size(1), sides(kHeight, p.pads[0], p.pads[2]), sides(kWidth, p.pads[1], p.pads[3])});
  return each(y, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
    double sum = 0, most = -1e30;
    int64_t counted = 0;
    for (int64_t a = i * p.stride - p.pads[0]; a < i * p.stride - p.pads[0] + p.kernel; ++a) {
      for (int64_t b = j * p.stride - p.pads[1]; b < j * p.stride - p.pads[1] + p.kernel; ++b) {
        const bool inside = a >= 0 && b >= 0 && a < kHeight && b < kWidth;
        const bool padding = a < kHeight + p.pads[2] && b < kWidth + p.pads[3];
        if (inside) sum += v[n][c][a][b], most = std::max<double>(most, v[n][c][a][b]);
        if (inside || (p.count && padding)) ++counted;
      }
    }
    return static_cast<float>(largest ? most : sum / static_cast<double>(counted));
  });
}

TEST(OnnxRulesExport, PoolingRoundsUpAndPadsOneSideAsSpecified) {
  const auto x = pixels(2) - 0.5;
  int number = 0;
  for (const Pooling& p : std::vector<Pooling>{{2, 2, {0, 0, 0, 0}, true, false},
                                               {2, 2, {0, 0, 1, 1}, true, false},
                                               {3, 2, {0, 0, 1, 1}, true, false},
                                               {3, 2, {1, 1, 0, 0}, true, false},
                                               {3, 2, {1, 0, 2, 1}, true, true},
                                               {3, 2, {0, 1, 1, 0}, false, true},
                                               {3, 3, {2, 2, 0, 0}, true, true},
                                               {2, 3, {0, 0, 1, 1}, true, true},
                                               {3, 2, {1, 1, 1, 1}, true, true}}) {
    json attributes = {{"kernel_shape", {p.kernel, p.kernel}}, {"strides", {p.stride, p.stride}}, {"pads", p.pads}};
    attributes["ceil_mode"] = p.ceil ? 1 : 0;
    const std::string name = std::to_string(number++);
    const Node centre{"Sub", {"x", torch::tensor(0.5F)}, {}, {"c"}};
    SCOPED_TRACE(name);
    const ScratchFolder folder;
    const auto most = pooled(x, p, true);
    expect_logits(network_of({centre, {"MaxPool", {"c"}, attributes}}, most.numel() / 2, folder / "max.onnx"), most);
    attributes["count_include_pad"] = p.count ? 1 : 0;
    const auto mean = pooled(x, p, false);
    expect_logits(network_of({centre, {"AveragePool", {"c"}, attributes}}, mean.numel() / 2, folder / "mean.onnx"),
                  mean);
  }
}

TEST(OnnxRulesExport, APoolingWindowOfPaddingAloneIsRefused) {
  const ScratchFolder folder;
  EXPECT_THAT(
      message_of([&] {
        network_of({{"MaxPool", {"x"}, {{"kernel_shape", {2, 2}}, {"pads", {2, 2, 0, 0}}}}}, 7, folder / "net.onnx");
      }),
      HasSubstr("its padding is no smaller than its window"));
}

/// Halves to the even neighbour.
float quantized(float x, float scale, float zero, float low, float high) {
  return std::clamp(std::nearbyint(x / scale) + zero, low, high);
}

TEST(OnnxRulesExport, QuantizeAndDequantizeRoundToEightBits) {
  const auto x = pixels(2).contiguous();
  const auto v = x.accessor<float, 4>();
  const auto u8 = torch::tensor({100}, torch::kUInt8).reshape({});
  expect_meaning("qdq-uint8",
                 {{"QuantizeLinear", {"x", torch::tensor(0.004F), u8}, {}, {"q"}},
                  {"DequantizeLinear", {"q", torch::tensor(0.004F), u8}}},
                 each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
                   return (quantized(v[n][c][i][j], 0.004F, 100, 0, 255) - 100) * 0.004F;
                 }));
  const auto scales = reals({0.01F, 0.002F, 0.03F});
  const auto zeros = torch::tensor({3, -5, 0}, torch::kInt8);
  expect_meaning("qdq-int8-channels",
                 {{"QuantizeLinear", {"x", scales, zeros}, {{"axis", 1}}, {"q"}},
                  {"DequantizeLinear", {"q", scales, zeros}, {{"axis", 1}}}},
                 each(x, [&](int64_t n, int64_t c, int64_t i, int64_t j) {
                   const float s = scales[c].item<float>(), z = zeros[c].item<float>();
                   return (quantized(v[n][c][i][j], s, z, -128, 127) - z) * s;
                 }));
}

TEST(OnnxRulesExport, EightBitNumbersAreCutAndRepeatedAsTheyAre) {
  const auto x = pixels(2);
  const auto zero = torch::tensor({100}, torch::kUInt8).reshape({}), scale = torch::tensor(0.004F);
  const auto rounded = (at::clamp(at::round(x / scale) + 100, 0, 255) - 100) * scale;
  expect_meaning("qdq-cut",
                 {{"QuantizeLinear", {"x", scale, zero}, {}, {"q"}},
                  {"Split", {"q", wholes({1, kChannels - 1})}, {{"axis", 1}}, {"a", "b"}},
                  {"Expand", {"a", wholes({1, 2, 1, 1})}, {}, {"e"}},
                  {"Concat", {"e", "b"}, {{"axis", 1}}, {"c"}},
                  {"Tile", {"c", wholes({1, 2, 1, 1})}, {}, {"t"}},
                  {"DequantizeLinear", {"t", scale, zero}}},
                 at::cat({rounded.slice(1, 0, 1), rounded, rounded.slice(1, 0, 1), rounded}, 1));
}

TEST(OnnxRulesExport, TheGradientPassesRoundingButNotClamping) {
  const ScratchFolder folder;
  const auto zero = torch::tensor({0}, torch::kUInt8).reshape({}), scale = torch::tensor(0.002F);  // to 0.51
  const Checkpoint checkpoint =
      network_of({{"QuantizeLinear", {"x", scale, zero}, {}, {"q"}}, {"DequantizeLinear", {"q", scale, zero}}}, 90,
                 folder / "net.onnx");
  ASSERT_EQ(checkpoint.warnings.size(), 1u);
  EXPECT_THAT(checkpoint.warnings[0], HasSubstr("straight-through"));
  const auto x = pixels(2);
  const auto direction = drawn({2, 90}, 5);
  const auto gradient = make_classifier(checkpoint, {1, "fp32"}).linearize(x).pullback(direction);
  const auto expected = direction.reshape(x.sizes()) * (x / 0.002F).round().le(255).to(torch::kFloat32);
  EXPECT_LT((gradient - expected).abs().max().item<double>(), 1e-5);
}

TEST(OnnxRulesExport, ConvolutionsOf8BitNumbersAreSpeltOut) {
  const auto x = pixels(2);
  const auto w = at::round(40 * drawn({2, kChannels, 3, 3}, 6)).clamp(-127, 127).to(torch::kInt8);
  const auto bias = torch::tensor({200, -300}, torch::kInt32);
  const auto zero = torch::tensor({0}, torch::kUInt8).reshape({}), w_zero = torch::zeros({2}, torch::kInt8);
  const auto out_zero = torch::tensor({10}, torch::kUInt8).reshape({});
  const auto w_scales = reals({0.01F, 0.02F});
  const std::vector<Node> nodes = {
      {"QuantizeLinear", {"x", torch::tensor(1 / 255.0F), zero}, {}, {"q"}},
      {"QLinearConv",
       {"q", torch::tensor(1 / 255.0F), zero, w, w_scales, w_zero, torch::tensor(0.05F), out_zero, bias},
       {{"kernel_shape", {3, 3}}},
       {"c"}},
      {"DequantizeLinear", {"c", torch::tensor(0.05F), out_zero}}};
  const auto in = at::round(x * 255).to(torch::kFloat64);
  const auto sums = at::conv2d(in, w.to(torch::kFloat64), bias.to(torch::kFloat64)) *
                    (w_scales.to(torch::kFloat64) / 255).view({1, -1, 1, 1});
  const auto expected = (at::clamp(at::round(sums / 0.05) + 10, 0, 255) - 10) * 0.05;
  const ScratchFolder folder;
  expect_logits(network_of(nodes, expected.numel() / 2, folder / "net.onnx"), expected.to(torch::kFloat32));
}

/// The file with another element type of its input.
void declare_input(const std::filesystem::path& path, onnx::TensorProto_DataType type) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(path)));
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  write_file(path, model.SerializeAsString());
}

TEST(OnnxRules, AnInputOfWholeNumbersMeansPixelsOf0To255) {
  const ScratchFolder folder;
  write({{"Cast", {"x"}, {{"to", 1}}, {"f"}}, {"Flatten", {"f"}, {}, {"logits"}}}, folder / "net.onnx");
  ImportOptions options;
  options.labels = test::numbered_classes(90);
  for (const auto type : {onnx::TensorProto_DataType_UINT8, onnx::TensorProto_DataType_INT32}) {
    declare_input(folder / "net.onnx", type);
    expect_logits(load_model(folder / "net.onnx", options), pixels(2) * 255, 1e-3);
    auto given = options;
    given.mean = {0}, given.std = {1};
    expect_logits(load_model(folder / "net.onnx", given), pixels(2));
  }
  declare_input(folder / "net.onnx", onnx::TensorProto_DataType_STRING);
  EXPECT_THAT(message_of([&] { load_model(folder / "net.onnx", options); }), HasSubstr("has the element type STRING"));
}

/// The file that is exported has an image of float32, of which no 8-bit operator may be asked.
TEST(OnnxRulesExport, AnImageOf8BitNumbersMayBeDequantizedAtOnceOrMovedBefore) {
  const auto scales = reals({0.01F, 0.002F, 0.03F});
  const auto zeros = torch::tensor({3, 128, 0}, torch::kUInt8);
  const auto x = pixels(2) * 255;
  const auto expected = (x - zeros.view({1, -1, 1, 1})) * scales.view({1, -1, 1, 1});
  const Node flatten{"Flatten", {"f"}, {}, {"logits"}};
  const std::vector<std::vector<Node>> forms{
      {{"DequantizeLinear", {"x", scales, zeros}, {{"axis", 1}}, {"f"}}, flatten},
      {{"Transpose", {"x"}, {{"perm", {0, 2, 3, 1}}}, {"t"}},
       {"DequantizeLinear", {"t", scales, zeros}, {{"axis", -1}}, {"d"}},
       {"Transpose", {"d"}, {{"perm", {0, 3, 1, 2}}}, {"f"}},
       flatten}};
  ImportOptions options;
  options.labels = test::numbered_classes(90);
  for (size_t form = 0; form < forms.size(); ++form) {
    const ScratchFolder folder;
    write(forms[form], folder / "net.onnx");
    declare_input(folder / "net.onnx", onnx::TensorProto_DataType_UINT8);
    const Checkpoint checkpoint = load_model(folder / "net.onnx", options);
    expect_logits(checkpoint, expected, 1e-4);
    export_model(checkpoint, "onnx", folder / "again.onnx");
    test::expect_valid_export(fmt::format("rules-image-of-8-bits-{}", form), folder / "again.onnx", checkpoint);
  }
}

TEST(OnnxRules, OneOfSeveralOutputsIsTakenByName) {
  const ScratchFolder folder;
  const auto w = drawn({90, 7}, 1);
  write({{"Flatten", {"x"}, {}, {"f"}}, {"Gemm", {"f", w}, {}, {"emotion"}}, {"Neg", {"emotion"}, {}, {"other"}}},
        folder / "net.onnx", {"emotion", "other"});
  const auto expected = pixels(2).flatten(1).matmul(w);
  silence_progress(false);
  testing::internal::CaptureStderr();
  expect_logits(load_model(folder / "net.onnx"), expected, 1e-4);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("has 2 outputs (emotion, other); 'emotion' is taken"));
  ImportOptions options;
  options.output = "other";
  expect_logits(load_model(folder / "net.onnx", options), -expected, 1e-4);
  options.output = "valence";
  EXPECT_THAT(message_of([&] { load_model(folder / "net.onnx", options); }),
              AllOf(StartsWith((folder / "net.onnx").string()),
                    HasSubstr(": --output valence: must be one of its outputs (emotion, other)"),
                    Not(HasSubstr("net.onnx: " + (folder / "net.onnx").string()))));
}

TEST(OnnxRules, AttributesThatAnOperatorDoesNotKnowAreRefusedByName) {
  const ScratchFolder folder;
  for (const auto& [op, attribute] : std::vector<std::pair<std::string, std::string>>{
           {"Relu", "alpha"}, {"Flatten", "end"}, {"Softmax", "temperature"}, {"MaxPool", "count_include_pad"}}) {
    EXPECT_THAT(message_of([&] {
                  network_of({{op, {"x"}, {{"kernel_shape", {1, 1}}, {attribute, 1}}}}, 90, folder / "net.onnx");
                }),
                HasSubstr("is not supported"))
        << op;
  }
  EXPECT_THAT(message_of([&] {
                network_of({{"Elu", {"x"}, {{"beta", 0.5}}}}, 90, folder / "net.onnx");
              }),
              HasSubstr("node 'Elu_y' (Elu): its attribute 'beta' is not supported"));
}

/// Seven logits, and what a file may make of them.
Checkpoint with_end(const std::vector<Node>& end, const std::filesystem::path& path, bool strip = true) {
  std::vector<Node> nodes = {{"Flatten", {"x"}, {}, {"f"}}, {"Gemm", {"f", drawn({90, 7}, 1)}, {}, {"z"}}};
  nodes.insert(nodes.end(), end.begin(), end.end());
  write(nodes, path);
  ImportOptions options;
  options.strip_softmax = strip;
  return load_model(path, options);
}

TEST(OnnxRules, ASoftmaxIsLeftOutHoweverItIsSpelt) {
  const ScratchFolder folder;
  const auto expected = pixels(2).flatten(1).matmul(drawn({90, 7}, 1));
  const Node exp{"Exp", {"z"}, {}, {"e"}}, sum{"ReduceSum", {"e", wholes({1})}, {}, {"s"}};
  const std::vector<std::vector<Node>> ends = {
      {{"Softmax", {"z"}, {{"axis", 1}}, {"logits"}}},
      {{"Softmax", {"z"}, {{"axis", 1}}, {"p"}}, {"Reshape", {"p", wholes({-1, 7})}, {}, {"logits"}}},
      {{"Reshape", {"z", wholes({0, 7, 1, 1})}, {}, {"r"}},
       {"Softmax", {"r"}, {{"axis", 1}}, {"p"}},
       {"Flatten", {"p"}, {}, {"logits"}}},
      {{"Reshape", {"z", wholes({0, 7, 1})}, {}, {"r"}},
       {"Softmax", {"r"}, {{"axis", 1}}, {"p"}},
       {"Squeeze", {"p", wholes({2})}, {}, {"logits"}}},
      {exp, sum, {"Div", {"e", "s"}, {}, {"logits"}}},
      {exp, sum, {"Reciprocal", {"s"}, {}, {"i"}}, {"Mul", {"i", "e"}, {}, {"logits"}}},
      {exp, sum, {"Div", {"e", "s"}, {}, {"p"}}, {"Reshape", {"p", wholes({0, 7})}, {}, {"logits"}}}};
  for (size_t i = 0; i < ends.size(); ++i) {
    SCOPED_TRACE(i);
    const Checkpoint checkpoint = with_end(ends[i], folder / "net.onnx");
    EXPECT_TRUE(checkpoint.warnings.empty());
    expect_logits(checkpoint, expected, 1e-4);
    const Checkpoint kept = with_end(ends[i], folder / "net.onnx", false);
    ASSERT_EQ(kept.warnings.size(), 1u);
    EXPECT_THAT(kept.warnings[0], HasSubstr("probabilities, not logits: a softmax is kept"));
    expect_logits(kept, at::softmax(expected, 1), 1e-4);
  }
  const std::vector<Node> shifted = {{"ReduceMax", {"z"}, {{"axes", {1}}}, {"m"}},
                                     {"Sub", {"z", "m"}, {}, {"d"}},
                                     {"Exp", {"d"}, {}, {"e"}},
                                     sum,
                                     {"Div", {"e", "s"}, {}, {"logits"}}};
  expect_logits(with_end(shifted, folder / "net.onnx"), expected - expected.amax(1, true), 1e-4);
  const std::vector<Node> exp_of_log = {{"LogSoftmax", {"z"}, {{"axis", 1}}, {"l"}}, {"Exp", {"l"}, {}, {"logits"}}};
  expect_logits(with_end(exp_of_log, folder / "net.onnx"), at::log_softmax(expected, 1), 1e-4);
}

TEST(OnnxRules, ProbabilitiesThatCannotBeUndoneAreAWarning) {
  const ScratchFolder folder;
  // The mean of two softmaxes, as an ensemble has.
  const std::vector<Node> ensemble = {{"Softmax", {"z"}, {{"axis", 1}}, {"p"}},
                                      {"Neg", {"z"}, {}, {"w"}},
                                      {"Softmax", {"w"}, {{"axis", 1}}, {"q"}},
                                      {"Mean", {"p", "q"}, {}, {"logits"}}};
  const Checkpoint checkpoint = with_end(ensemble, folder / "net.onnx");
  ASSERT_EQ(checkpoint.warnings.size(), 1u);
  EXPECT_THAT(checkpoint.warnings[0], HasSubstr("probabilities, not logits"));
  save_checkpoint(checkpoint, folder / "net.pt");
  EXPECT_EQ(load_model(folder / "net.pt").warnings, checkpoint.warnings);
  const std::vector<Node> per_cent = {{"Softmax", {"z"}, {{"axis", 1}}, {"p"}},
                                      {"Mul", {"p", torch::tensor(100.0F)}, {}, {"logits"}}};
  EXPECT_THAT(with_end(per_cent, folder / "net.onnx").warnings,
              testing::ElementsAre(HasSubstr("probabilities, not logits")));
}

TEST(OnnxRules, ASoftmaxAlongAnotherAxisStays) {
  const ScratchFolder folder;
  // Along 2 of the 6 logits' axes (2,3): each three sum to one, all six to two.
  std::vector<Node> nodes = {{"Flatten", {"x"}, {}, {"f"}},
                             {"Gemm", {"f", drawn({90, 6}, 1)}, {}, {"z"}},
                             {"Reshape", {"z", wholes({0, 2, 3})}, {}, {"r"}},
                             {"Softmax", {"r"}, {{"axis", 2}}, {"p"}},
                             {"Reshape", {"p", wholes({0, 6})}, {}, {"logits"}}};
  write(nodes, folder / "net.onnx");
  ImportOptions options;
  options.labels = test::numbered_classes(6);
  const auto z = pixels(2).flatten(1).matmul(drawn({90, 6}, 1));
  expect_logits(load_model(folder / "net.onnx", options), at::softmax(z.view({2, 2, 3}), 2).flatten(1), 1e-5);
}

TEST(OnnxRules, AnyByteOfABooleanButNoughtIsTrue) {
  const ScratchFolder folder;
  const auto bytes = torch::tensor({0, 1, 2, 255, 0, 120}, torch::kUInt8);
  const std::vector<Node> nodes{{"Where", {bytes.view(torch::kBool), "x", torch::tensor(0.0F)}}};
  const Checkpoint checkpoint = network_of(nodes, 90, folder / "net.onnx");
  json header;
  std::map<std::string, T> constants;
  checkpoint.foreign->store(header, constants);
  int64_t booleans = 0;
  for (const auto& [name, value] : constants) {
    if (value.scalar_type() != torch::kBool) continue;
    EXPECT_TRUE(at::equal(value.view(torch::kUInt8), bytes.ne(0).to(torch::kUInt8)));
    ++booleans;
  }
  EXPECT_EQ(booleans, 1);
}

/// The file with a batch of one instead of any.
void fix_batch(const std::filesystem::path& path) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(path)));
  auto* shape = model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(0)->set_dim_value(1);
  write_file(path, model.SerializeAsString());
}

TEST(OnnxRules, FilesForOneImageThatLeaveItsAxisOutTakeMany) {
  const ScratchFolder folder;
  const auto w = drawn({kChannels, 7}, 1);
  const Node mean{"GlobalAveragePool", {"x"}, {}, {"m"}};
  const auto expected = pixels(2).mean({2, 3}).matmul(w);
  const std::vector<std::vector<Node>> files = {
      {mean, {"Squeeze", {"m", wholes({0, 2, 3})}, {}, {"s"}}, {"MatMul", {"s", w}, {}, {"logits"}}},
      {mean,
       {"Squeeze", {"m", wholes({2, 3})}, {}, {"s"}},
       {"MatMul", {"s", w}, {}, {"y"}},
       {"Squeeze", {"y", wholes({0})}, {}, {"logits"}}},
      {mean, {"Reshape", {"m", wholes({-1})}, {}, {"s"}}, {"MatMul", {"s", w}, {}, {"logits"}}},
      {mean, {"Squeeze", {"m"}, {}, {"s"}}, {"MatMul", {"s", w}, {}, {"logits"}}},
      {mean,
       {"Squeeze", {"m"}, {{"axes", {0, 2, 3}}}, {"s"}},
       {"MatMul", {"s", w}, {}, {"y"}},
       {"Softmax", {"y"}, {{"axis", 0}}, {"p"}},
       {"Unsqueeze", {"p", wholes({0})}, {}, {"logits"}}},
      {mean,
       {"Squeeze", {"m", wholes({0, 2, 3})}, {}, {"s"}},
       {"Unsqueeze", {"s", wholes({0})}, {}, {"u"}},
       {"Gemm", {"u", w}, {}, {"logits"}}},
      {mean,
       {"Squeeze", {"m", wholes({0, 2, 3})}, {}, {"s"}},
       {"Identity", {"s"}, {}, {"i"}},
       {"Unsqueeze", {"i", wholes({0})}, {}, {"u"}},
       {"Gemm", {"u", w}, {}, {"logits"}}}};
  for (size_t i = 0; i < files.size(); ++i) {
    SCOPED_TRACE(i);
    write(files[i], folder / "net.onnx");
    fix_batch(folder / "net.onnx");
    expect_logits(load_model(folder / "net.onnx"), expected);
  }
}

TEST(OnnxRules, TheMiddleOfAnImageIsCutOutWhenAskedFor) {
  const ScratchFolder folder;
  test::write_onnx({"crop",
                    13,
                    "x",
                    {1, 44, 44},
                    {{"AveragePool", {"x"}, {{"kernel_shape", {11, 44}}, {"strides", {11, 44}}}, {"p"}},
                     {"Flatten", {"p"}, {}, {"logits"}}},
                    {"logits"}},
                   folder / "net.onnx");
  ImportOptions options;
  options.labels = test::numbered_classes(4);
  options.crop_input = true;
  const auto x = (uniform_rows(Rng(2), {0, 1}, {1, 48, 48}) + 1) / 2;
  const auto middle = x.slice(2, 2, 46).slice(3, 2, 46);
  const auto expected = middle.reshape({2, 4, 11 * 44}).mean(2);
  const auto checkpoint = load_model(folder / "net.onnx", options);
  EXPECT_LT((make_classifier(checkpoint, {1, "fp32"}).logits(x) - expected).abs().max().item<double>(), 1e-5);
  save_checkpoint(checkpoint, folder / "net.pt");
  EXPECT_LT(
      (make_classifier(load_model(folder / "net.pt"), {1, "fp32"}).logits(x) - expected).abs().max().item<double>(),
      1e-5);
  options.crop_input = false;
  EXPECT_GT((make_classifier(load_model(folder / "net.onnx", options), {1, "fp32"}).logits(x) - expected)
                .abs()
                .max()
                .item<double>(),
            1e-4);
}

}  // namespace

}  // namespace fercli
