// The graph of imported networks: operators against LibTorch, what is refused, what does not change.
#include "models/graph/graph.hpp"

#include <ATen/ATen.h>

#include <ctime>

#include "core/random.hpp"
#include "models/classifier.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using test::message_of;
using testing::HasSubstr;

torch::Tensor noise(std::vector<int64_t> shape, uint64_t seed = 1) {
  const std::vector<int64_t> row(shape.begin() + 1, shape.end());
  std::vector<int64_t> index;
  for (int64_t i = 0; i < shape[0]; ++i) index.push_back(i);
  return normal_rows(Rng(seed), index, row);
}

/// One operator on x, with constants as its further inputs.
torch::Tensor run(const std::string& op, const torch::Tensor& x, const std::vector<torch::Tensor>& constants = {},
                  nlohmann::json attributes = nlohmann::json::object()) {
  Graph graph;
  graph.input = "x";
  std::vector<std::string> inputs{"x"};
  for (const auto& value : constants) inputs.push_back(value.defined() ? graph.constant("c", value) : "");
  graph.output = graph.add(op, "tested", inputs, std::move(attributes));
  check_graph(graph, "test");
  return GraphModel(graph).executor()->logits(x);
}

torch::Tensor integers(std::vector<int64_t> values) {
  return torch::tensor(values, torch::kInt64);
}

void expect_close(const torch::Tensor& a, const torch::Tensor& b, double tolerance = 1e-5) {
  ASSERT_EQ(a.sizes(), b.sizes());
  EXPECT_TRUE(at::allclose(a, b, tolerance, tolerance)) << (a - b).abs().max().item<double>();
}

/// conv, BatchNorm, ReLU, pooling, dense, softmax.
Graph small_network() {
  Graph graph;
  graph.input = "image";
  const auto constant = [&](const char* name, const torch::Tensor& value) { return graph.constant(name, value); };
  auto y = graph.add("Conv", "conv", {"image", constant("w", noise({6, 1, 3, 3})), constant("b", noise({1, 6})[0])},
                     {{"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}});
  y = graph.add("BatchNormalization", "bn",
                {y, constant("scale", noise({1, 6}, 2)[0] + 2), constant("shift", noise({1, 6}, 3)[0]),
                 constant("mean", noise({1, 6}, 4)[0]), constant("var", noise({1, 6}, 5)[0].abs() + 0.5)},
                {{"epsilon", 1e-3}});
  y = graph.add("Relu", "relu", {y});
  y = graph.add("GlobalAveragePool", "pool", {y});
  y = graph.add("Flatten", "flatten", {y});
  y = graph.add("Gemm", "dense", {y, constant("v", noise({6, 7}, 6)), constant("c", noise({1, 7}, 7)[0])});
  graph.output = graph.add("Softmax", "softmax", {y}, {{"axis", -1}});
  return graph;
}

TEST(Graph, SamePaddingPutsTheOddPixelAfterTheImageAsTensorFlowDoes) {
  const auto x = noise({2, 3, 6, 7}), weight = noise({4, 3, 3, 3}, 2);
  const auto expected = at::conv2d(at::constant_pad_nd(x, {1, 1, 0, 1}), weight, {}, 2);
  expect_close(run("Conv", x, {weight}, {{"auto_pad", "SAME_UPPER"}, {"strides", {2, 2}}}), expected);
}

TEST(Graph, MaxPoolingWithSamePaddingNeverTakesThePadding) {
  const auto x = -noise({2, 3, 6, 6}).abs() - 1;
  const auto expected = at::max_pool2d(at::constant_pad_nd(x, {0, 1, 0, 1}, -1e9), {3, 3}, {2, 2});
  expect_close(run("MaxPool", x, {}, {{"auto_pad", "SAME_UPPER"}, {"kernel_shape", {3, 3}}, {"strides", {2, 2}}}),
               expected);
}

TEST(Graph, MeanPoolingWithSamePaddingCountsPixelsOnly) {
  const auto y = run("AveragePool", torch::ones({1, 2, 6, 6}), {},
                     {{"auto_pad", "SAME_UPPER"}, {"kernel_shape", {3, 3}}, {"strides", {2, 2}}});
  expect_close(y, torch::ones({1, 2, 3, 3}));
}

TEST(Graph, TransposedConvolutionIsTheGradientOfTheConvolution) {
  const auto x = noise({2, 4, 5, 5}), weight = noise({4, 3, 3, 3}, 2);
  const auto expected = at::conv_transpose2d(x, weight, {}, 2, 1, 1);
  expect_close(
      run("ConvTranspose", x, {weight}, {{"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}, {"output_padding", {1, 1}}}),
      expected);
}

TEST(Graph, ResizingIsLibTorchsInBothModes) {
  const auto x = noise({2, 3, 5, 6});
  const auto sizes = integers({2, 3, 11, 9});
  expect_close(
      run("Resize", x, {{}, {}, sizes}, {{"mode", "linear"}, {"coordinate_transformation_mode", "half_pixel"}}),
      at::upsample_bilinear2d(x, {11, 9}, false));
  expect_close(
      run("Resize", x, {{}, {}, sizes}, {{"mode", "linear"}, {"coordinate_transformation_mode", "align_corners"}}),
      at::upsample_bilinear2d(x, {11, 9}, true));
  expect_close(run("Resize", x, {{}, {}, sizes},
                   {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}}),
               at::upsample_nearest2d(x, {11, 9}));
}

TEST(Graph, AlignedCornersLandOnTheirPixels) {
  const auto x = noise({2, 3, 5, 6});
  const auto y =
      run("Resize", x, {{}, {}, integers({2, 3, 50, 78})},
          {{"mode", "nearest"}, {"coordinate_transformation_mode", "align_corners"}, {"nearest_mode", "floor"}});
  std::vector<int64_t> rows, columns;
  for (int64_t i = 0; i < 50; ++i) rows.push_back(i * 4 / 49);
  for (int64_t i = 0; i < 78; ++i) columns.push_back(i * 5 / 77);
  expect_close(y, x.index_select(2, integers(rows)).index_select(3, integers(columns)));
}

TEST(Graph, ActivationsAreLibTorchs) {
  const auto x = 3 * noise({2, 3, 4, 4});
  expect_close(run("Silu", x), at::silu(x));
  expect_close(run("HardSwish", x), at::hardswish(x));
  expect_close(run("HardSigmoid", x, {}, {{"alpha", 1.0 / 6}}), at::hardsigmoid(x));
  expect_close(run("Mish", x), at::mish(x));
  expect_close(run("PRelu", x, {noise({1, 3})[0].view({3, 1, 1})}), at::prelu(x, noise({1, 3})[0]));
  expect_close(run("Clip", x, {torch::tensor(-1.0F), torch::tensor(2.0F)}), at::clamp(x, -1, 2));
}

TEST(Graph, LayerNormalizationIsLibTorchs) {
  const auto x = noise({2, 5, 8}), weight = noise({1, 8}, 2)[0], bias = noise({1, 8}, 3)[0];
  expect_close(run("LayerNormalization", x, {weight, bias}, {{"axis", -1}}), at::layer_norm(x, {8}, weight, bias));
}

TEST(Graph, SlicesRunBackwardsToo) {
  const auto x = noise({1, 1, 4, 6});
  const auto y = run("Slice", x, {integers({5, 0}), integers({-7, 3}), integers({3, 2}), integers({-2, 1})});
  expect_close(y, x.flip({3}).slice(3, 0, 6, 2).slice(2, 0, 3));
}

TEST(Graph, ASoftmaxAtTheEndIsLeftOut) {
  Graph graph = small_network();
  const auto x = noise({3, 1, 12, 12});
  const auto probabilities = GraphModel(graph).executor()->logits(x);
  const auto logits = import_graph(graph, "test", {}).model->executor()->logits(x);
  expect_close(at::softmax(logits, 1), probabilities);
  EXPECT_FALSE(at::allclose(logits, probabilities));
}

TEST(Graph, TheNetworkBeforeItsSoftmaxWasLeftOutIsKeptBeside) {
  ImportOptions options;
  options.strip_softmax = false;
  EXPECT_EQ(import_graph(small_network(), "test", options).with_softmax, nullptr);
  EXPECT_NE(import_graph(small_network(), "test", {}).with_softmax, nullptr);
}

TEST(Graph, FoldingBatchNormChangesNothing) {
  const auto x = noise({3, 1, 12, 12});
  const Graph folded = simplify(small_network());
  EXPECT_TRUE(std::none_of(folded.nodes.begin(), folded.nodes.end(),
                           [](const GraphNode& node) { return node.op == "BatchNormalization"; }));
  Graph apart = small_network();
  apart.nodes[1].inputs[0] = apart.add("Neg", "twice", {apart.nodes[0].outputs[0]});  // so that nothing can be folded
  apart.nodes.insert(apart.nodes.begin() + 1, apart.nodes.back());
  apart.nodes.pop_back();
  Graph negated = small_network();
  negated.constants["w"] = -negated.constants["w"];
  negated.constants["b"] = -negated.constants["b"];
  expect_close(GraphModel(apart).executor()->logits(x), GraphModel(negated).executor()->logits(x));
}

Classifier classifier_of(const Graph& graph, Precision precision) {
  const auto imported = import_graph(graph, "test", {});
  return Classifier(imported.model, {"graph", {1, 12, 7, {}}, {1, 12, {0.5}, {0.25}}, LabelSet::fer2013()},
                    {precision});
}

TEST(Graph, AnExecutorThatDoesNotSuitIsRefusedWithThoseThatDo) {
  const Classifier graph = classifier_of(small_network(), Precision::Float32);
  EXPECT_EQ(message_of([&] {
              Classifier(graph.model(), graph.spec(), {Precision::Float32, torch::kCPU, "folded"});
            }),
            "--executor folded: does not run this network in fp32 on cpu; must be one of auto, graph");
}

TEST(Graph, AModelThatNoExecutorRunsIsRefused) {
  const Model unknown;
  EXPECT_EQ(message_of([&] { unknown.executor(); }), "no executor runs this network in fp32 on cpu");
}

TEST(Graph, AnImageHasTheSameLogitsAndGradientInAnyBatch) {
  const auto x = (noise({7, 1, 12, 12}) * 0.2 + 0.5).clamp(0, 1);
  const auto ones = torch::ones({7, 7}).cumsum(1);
  for (const Precision precision : {Precision::Float32, Precision::BFloat16}) {
    const auto classifier = classifier_of(small_network(), precision);
    const auto together = classifier.linearize(x), alone = classifier.linearize(x.slice(0, 2, 4));
    EXPECT_TRUE(at::equal(alone.logits, together.logits.slice(0, 2, 4)));
    EXPECT_TRUE(at::equal(classifier.logits(x.slice(0, 3, 4)), together.logits.slice(0, 3, 4)));
    EXPECT_TRUE(at::equal(alone.pullback(ones.slice(0, 0, 2)), together.pullback(ones).slice(0, 2, 4)));
  }
}

TEST(Graph, BFloat16IsNearFloat32) {
  const auto x = (noise({4, 1, 12, 12}) * 0.2 + 0.5).clamp(0, 1);
  const auto exact = classifier_of(small_network(), Precision::Float32),
             fast = classifier_of(small_network(), Precision::BFloat16);
  EXPECT_EQ(fast.precision(), Precision::BFloat16);
  EXPECT_TRUE(at::allclose(fast.logits(x), exact.logits(x), 0.05, 0.05));
}

TEST(Graph, UnsupportedOperatorsAreAllNamedWithTheirNodes) {
  Graph graph = small_network();
  graph.nodes[2].op = "Einsum";
  graph.nodes[4].op = "Loop";
  const auto message = message_of([&] { check_graph(graph, "net.onnx"); });
  EXPECT_THAT(message, HasSubstr("net.onnx: operators that are not supported"));
  EXPECT_THAT(message, HasSubstr("Einsum (relu)"));
  EXPECT_THAT(message, HasSubstr("Loop (flatten)"));
}

TEST(Graph, ACycleIsNamed) {
  Graph graph = small_network();
  graph.nodes[0].inputs[0] = graph.nodes[2].outputs[0];
  EXPECT_THAT(message_of([&] { check_graph(graph, "net.onnx"); }), HasSubstr("node 'conv' (Conv) reads"));
}

TEST(Graph, ANodeThatLacksAnInputIsRefusedBeforeItRuns) {
  Graph graph = small_network();
  graph.nodes[0].inputs = {"image", ""};
  EXPECT_EQ(message_of([&] { check_graph(graph, "net.onnx"); }), "net.onnx: node 'conv' (Conv): input 2 is missing");
}

TEST(Graph, AnOperatorThatOnlyFilesHaveIsRefusedInAGraph) {
  Graph graph = small_network();
  graph.nodes[2].op = "QLinearConv";
  EXPECT_THAT(message_of([&] { check_graph(graph, "net.pt"); }),
              HasSubstr("not supported, with their nodes: QLinearConv"));
}

TEST(Graph, SizesThatNoNetworkHasAreRefusedBeforeMemoryIsTaken) {
  const auto x = noise({1, 1, 8, 8});
  EXPECT_THAT(message_of([&] {
                run("Expand", x.slice(2, 0, 1).slice(3, 0, 1), {integers({1, 1, 1 << 20, 1 << 20})});
              }),
              HasSubstr("larger than any network's"));
  EXPECT_THAT(message_of([&] {
                run("Resize", x, {{}, {}, integers({1, 1, 1 << 20, 1 << 20})});
              }),
              HasSubstr("larger than any network's"));
  EXPECT_THAT(message_of([&] {
                run("Pad", x, {integers({0, 0, 1 << 19, 1 << 19, 0, 0, 0, 0})});
              }),
              HasSubstr("larger than any network's"));
}

TEST(Graph, WrongShapesNameTheNode) {
  EXPECT_THAT(message_of([&] {
                run("Conv", noise({1, 2, 8, 8}), {noise({4, 3, 3, 3})});
              }),
              HasSubstr("node 'tested' (Conv)"));
}

TEST(Graph, ConstantsOfOneHintGetNamesOfTheirOwnInNumberOrder) {
  Graph graph;
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) names.push_back(graph.constant("weight", torch::zeros({1})));
  EXPECT_EQ(names, (std::vector<std::string>{"weight", "weight#1", "weight#2", "weight#3", "weight#4"}));
}

TEST(Graph, NamingConstantsCostsInProportion) {
  const auto seconds = [](int count) {
    const torch::Tensor value = torch::zeros({1});
    Graph graph;
    const std::clock_t start = std::clock();
    for (int i = 0; i < count; ++i) graph.constant("weight", value);
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  };
  const double small = std::min(seconds(4000), seconds(4000));
  EXPECT_LT(seconds(16000), 10 * std::max(small, 1e-3));  // sixteen times if each looked through all
}

}  // namespace

}  // namespace fercli
