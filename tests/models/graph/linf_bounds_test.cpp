// Bounds of a network on an Linf ball: known answers, no point of the ball beyond them, roundings, what is refused.
#include "models/graph/linf_bounds.hpp"

#include <ATen/ATen.h>

#include "core/random.hpp"
#include "models/classifier.hpp"
#include "models/formats/export.hpp"
#include "models/networks/network.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using test::message_of;
using testing::HasSubstr;

constexpr int64_t kSide = 8, kClasses = 3;

torch::Tensor drawn(std::vector<int64_t> shape, uint64_t seed) {
  return normal_rows(Rng(seed), {0}, shape)[0];
}

/// 0 to 1, float32 (1,1,side,side).
torch::Tensor drawn_image(uint64_t seed, int64_t side = kSide) {
  return (drawn({1, 1, side, side}, seed) * 0.25 + 0.5).clamp(0, 1);
}

Preprocessing plain(int64_t side = kSide) {
  return {1, side, {0.0}, {1.0}};
}

Graph linear_graph(const torch::Tensor& weight, const torch::Tensor& bias) {
  Graph graph;
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flat", {"x"});
  graph.output =
      graph.add("Gemm", "dense", {flat, graph.constant("w", weight), graph.constant("b", bias)}, {{"transB", 1}});
  return graph;
}

/// The least margin over every other class that any of these images has, by the float32 network.
torch::Tensor margins_at(const Graph& graph, const torch::Tensor& images, int64_t label) {
  const auto logits = GraphModel(graph).executor()->logits(images);
  return (logits.select(1, label).unsqueeze(1) - logits).amin(0).to(torch::kFloat64);
}

/// Points of the ball: its corners, and inside.
torch::Tensor points_of_ball(const torch::Tensor& image, double eps, uint64_t seed, int64_t count = 64) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(i);
  const auto inside = uniform_rows(Rng(seed), rows, image.sizes().slice(1));  // in [-1,1]
  const auto corners = inside.sign();
  const auto even = (torch::arange(count).remainder(2) == 0).view({-1, 1, 1, 1});
  return (image + eps * at::where(even, corners, inside)).clamp(0, 1);
}

void expect_sound(const Graph& graph, const torch::Tensor& image, double eps, double tightness) {
  const LinfBounds bounds(graph, plain(image.size(2)));
  for (int64_t label = 0; label < kClasses; ++label) {
    const auto found = bounds.margins(image, eps, label);
    EXPECT_TRUE((found.linear >= found.interval).all().item<bool>());
    const auto seen = margins_at(graph, points_of_ball(image, eps, 7), label);
    EXPECT_TRUE((seen >= found.linear).all().item<bool>()) << seen << found.linear;
    const auto at_image = bounds.margins(image, 0, label).linear - margins_at(graph, image, label);
    EXPECT_LT(at_image.abs().max().item<double>(), tightness) << "loose even in a ball of no size";
  }
}

TEST(LinfBounds, AreExactForALinearNetwork) {
  const auto weight = drawn({kClasses, kSide * kSide}, 1), bias = drawn({kClasses}, 2);
  const auto image = torch::full({1, 1, kSide, kSide}, 0.5);
  const double eps = 0.1;
  const auto found = LinfBounds(linear_graph(weight, bias), plain()).margins(image, eps, 1);
  for (const int64_t k : {0, 2}) {
    const auto difference = weight[1] - weight[k];
    const auto exact = (difference * 0.5).sum() + bias[1] - bias[k] - eps * difference.abs().sum();
    EXPECT_NEAR(found.linear[k].item<double>(), exact.item<double>(), 2e-3);
    EXPECT_LE(found.linear[k].item<double>(), exact.item<double>());
    EXPECT_NEAR(found.interval[k].item<double>(), exact.item<double>(), 2e-3);
  }
  EXPECT_EQ(found.linear[1].item<double>(), 0);
}

/// Two windows of a maximum, the second minus the first; the image decides whether one pixel wins each.
TEST(LinfBounds, KnowWhichPixelIsTheMaximum) {
  Graph graph;
  graph.input = "x";
  auto y = graph.add("MaxPool", "pool", {"x"}, {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}});
  y = graph.add("Flatten", "flat", {y});
  graph.output =
      graph.add("Gemm", "dense", {y, graph.constant("w", torch::tensor({{-1.F, 1.F}, {0.F, 0.F}}))}, {{"transB", 1}});
  const LinfBounds bounds(graph, {1, 2, {0.0}, {1.0}, 4});
  const auto clear = torch::tensor({0.5F, 0.1F, 0.9F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F}).view({1, 1, 2, 4});
  EXPECT_NEAR(bounds.margins(clear, 0.05, 0).linear[1].item<double>(), 0.3, 1e-5);
  const auto tied = torch::tensor({0.5F, 0.5F, 0.9F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F}).view({1, 1, 2, 4});
  EXPECT_NEAR(bounds.margins(tied, 0.05, 0).linear[1].item<double>(), 0.3, 1e-5) << "0.85 less the constant 0.55";
}

TEST(LinfBounds, HoldForEveryOperatorTheyKnow) {
  Graph graph;
  graph.input = "x";
  const auto constant = [&](const torch::Tensor& value) { return graph.constant("c", value); };
  const auto conv = graph.add("Conv", "conv", {"x", constant(drawn({4, 1, 3, 3}, 3) / 2), constant(drawn({4}, 4))},
                              {{"pads", {1, 1, 1, 1}}});
  const auto norm = graph.add("BatchNormalization", "norm",
                              {conv, constant(drawn({4}, 5)), constant(drawn({4}, 6)), constant(drawn({4}, 7)),
                               constant(drawn({4}, 8).abs() + 0.5)});
  const auto branches = std::vector<std::string>{graph.add("Relu", "relu", {norm}),
                                                 graph.add("Tanh", "tanh", {norm}),
                                                 graph.add("Sigmoid", "sigmoid", {norm}),
                                                 graph.add("LeakyRelu", "leaky", {norm}, {{"alpha", 0.1}}),
                                                 graph.add("Elu", "elu", {norm}),
                                                 graph.add("Softplus", "softplus", {norm}),
                                                 graph.add("Neg", "neg", {norm}),
                                                 graph.add("Sub", "sub", {norm, conv}),
                                                 graph.add("Mul", "mul", {conv, constant(drawn({1, 4, 1, 1}, 9))}),
                                                 graph.add("Div", "div", {conv, constant(drawn({1, 4, 1, 1}, 10) + 3)}),
                                                 graph.add("Clip", "clip", {norm}, {{"min", 0.0}, {"max", 0.5}})};
  auto y = graph.add("Concat", "concat", branches, {{"axis", 1}});
  const auto pooled =
      graph.add("MaxPool", "max", {y}, {{"kernel_shape", {3, 3}}, {"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}});
  const auto mean = graph.add("AveragePool", "mean", {y}, {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}});
  y = graph.add("Add", "add", {pooled, mean});
  y = graph.add("ReduceMean", "reduce", {y}, {{"axes", {2, 3}}, {"keepdims", 0}});
  graph.output = graph.add("MatMul", "dense", {y, constant(drawn({44, kClasses}, 11))});
  check_graph(graph, "test");
  for (const double eps : {1e-4, 0.01, 0.2}) expect_sound(graph, drawn_image(12), eps, 5e-2);
}

TEST(LinfBounds, FollowShapesThatTheGraphComputes) {
  Graph graph = linear_graph(drawn({kClasses, kSide * kSide}, 1), drawn({kClasses}, 2));
  Graph computed;
  computed.input = "x";
  computed.constants = graph.constants;
  const auto shape = computed.add("Shape", "shape", {"x"}, {{"start", 0}, {"end", 1}});
  const auto rest = computed.constant("rest", torch::tensor({int64_t{-1}}));
  const auto sides = computed.add("Concat", "sides", {shape, rest}, {{"axis", 0}});
  const auto flat = computed.add("Reshape", "flat", {"x", sides});
  computed.output = computed.add("Gemm", "dense", {flat, "w", "b"}, {{"transB", 1}});
  const auto image = drawn_image(3);
  EXPECT_TRUE(at::equal(LinfBounds(computed, plain()).margins(image, 0.05, 0).linear,
                        LinfBounds(graph, plain()).margins(image, 0.05, 0).linear));
}

/// Terms of 1e6 that cancel: float32 cannot tell whether 1e-3 is left.
TEST(LinfBounds, TakeRoundingIntoAccount) {
  auto weight = torch::zeros({2, kSide * kSide});
  weight[0] = torch::cat({torch::full({kSide * kSide / 2}, 1e6F), torch::full({kSide * kSide / 2}, -1e6F)});
  const auto graph = linear_graph(weight, torch::tensor({1e-3F, 0.F}));
  const auto image = torch::full({1, 1, kSide, kSide}, 0.3F);
  EXPECT_LT(LinfBounds(graph, plain()).margins(image, 0, 0).linear[1].item<double>(), 0);
  const auto simple = linear_graph(torch::zeros({2, kSide * kSide}), torch::tensor({1e-3F, 0.F}));
  EXPECT_GT(LinfBounds(simple, plain()).margins(image, 0, 0).linear[1].item<double>(), 9e-4);
}

TEST(LinfBounds, NameTheLayersThatHaveNone) {
  Graph graph = linear_graph(drawn({kClasses, kSide * kSide}, 1), drawn({kClasses}, 2));
  graph.output = graph.add("Softmax", "answer", {graph.output});
  EXPECT_THAT(message_of([&] { LinfBounds(graph, plain()); }), HasSubstr("answer (Softmax)"));
  Graph gate = linear_graph(drawn({kClasses, kSide * kSide}, 1), drawn({kClasses}, 2));
  gate.output = gate.add("Mul", "gate", {gate.output, gate.output});
  EXPECT_THAT(message_of([&] { LinfBounds(gate, plain()); }), HasSubstr("gate (Mul)"));
  for (const auto& [op, factor] : {std::pair{"LeakyRelu", "alpha"}, {"Selu", "alpha"}, {"Selu", "gamma"}}) {
    Graph falling = linear_graph(drawn({kClasses, kSide * kSide}, 1), drawn({kClasses}, 2));
    falling.output = falling.add(op, "falling", {falling.output}, {{factor, -0.5}});
    EXPECT_THAT(message_of([&] { LinfBounds(falling, plain()); }), HasSubstr("falling"));
  }
}

class BoundsOfArchitectures : public testing::TestWithParam<std::string> {};

/// With statistics and weights as training leaves them, on images of another size than the network's.
TEST_P(BoundsOfArchitectures, HoldAtEveryPoint) {
  Checkpoint checkpoint;
  checkpoint.arch = GetParam();
  const auto& entry = Registry<Architecture>::instance().get(checkpoint.arch);
  checkpoint.options = entry.defaults();
  checkpoint.options.classes = kClasses;
  checkpoint.options.channels = 1;
  checkpoint.options.size = smallest_side(checkpoint.arch, checkpoint.options) + 1;
  if (checkpoint.options.settings.count("width") > 0) checkpoint.options.settings["width"] = 4;
  checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 5);
  const torch::NoGradGuard no_grad;
  uint64_t seed = 20;
  for (auto& buffer : checkpoint.network->named_buffers()) {
    const auto noise = drawn(buffer.value().sizes().vec(), ++seed) * 0.2;
    buffer.value().add_(noise.abs());
  }
  checkpoint.preprocessing = {1, checkpoint.options.size, {0.5}, {0.5}};
  checkpoint.classes = LabelSet({"a", "b", "c"});
  const LinfBounds bounds(network_graph(checkpoint), checkpoint.preprocessing);
  const Classifier classifier(checkpoint.network, checkpoint);
  for (const int64_t side : {checkpoint.options.size, checkpoint.options.size + 3}) {
    const auto image = drawn_image(31, side);
    for (const double eps : {1e-4, 4 / 255.0}) {
      const auto found = bounds.margins(image, eps, 0).linear;
      const auto logits = classifier.logits(points_of_ball(image, eps, 9));
      const auto seen = (logits.select(1, 0).unsqueeze(1) - logits).amin(0).to(torch::kFloat64);
      EXPECT_TRUE((seen >= found).all().item<bool>()) << side << " " << eps << seen << found;
    }
    const auto logits = classifier.logits(image);
    const auto exact = (logits[0][0] - logits[0]).to(torch::kFloat64);
    const double size = logits.abs().max().item<double>() + 1;
    EXPECT_LT((bounds.margins(image, 0, 0).linear - exact).abs().max().item<double>(), 0.05 * size);
  }
}

std::vector<std::string> bounded_architectures() {
  return {"mini-xception", "resnet", "resnet18", "small-cnn"};
}

INSTANTIATE_TEST_SUITE_P(All, BoundsOfArchitectures, testing::ValuesIn(bounded_architectures()), [](const auto& info) {
  auto name = info.param;
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
});

}  // namespace

}  // namespace fercli
