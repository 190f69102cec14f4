// Where a network's time goes: layers of own and imported networks, and what `summary --profile` makes of it.
#include "models/profile.hpp"

#include "models/graph/graph.hpp"
#include "models/summary.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using test::run_in_process;
using testing::HasSubstr;

constexpr double kQuick = 0.05;  ///< seconds of each measurement

void expect_times(const PassTimes& times, const std::string& of) {
  for (const double seconds : {times.logits, times.forward, times.backward}) {
    EXPECT_GT(seconds, 0) << of;
    EXPECT_LT(seconds, 1) << of;
  }
}

/// A convolution with stride 2 and a dense layer.
Classifier imported() {
  Graph graph;
  graph.input = "x";
  const auto weight = graph.constant("w", torch::ones({5, 1, 3, 3}));
  const auto y = graph.add("Conv", "conv", {"x", weight}, {{"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}});
  const auto flat = graph.add("Flatten", "flatten", {y});
  graph.output = graph.add("Gemm", "dense", {flat, graph.constant("d", torch::ones({5 * 8 * 8, 7}))});
  return Classifier(std::make_shared<GraphModel>(graph), {"onnx", {}, {1, 16, {0.5}, {0.5}}, LabelSet::fer2013()});
}

TEST(Profile, HasTheLayersThatTheSummaryHas) {
  const Classifier classifier = test::confident_cnn(16);
  const NetworkProfile profile = profile_network(classifier, 3, kQuick);
  std::map<std::string, LayerSummary> layers;
  for (const auto& layer : summarise(*classifier.network(), classifier.options())) layers.emplace(layer.name, layer);
  ASSERT_EQ(profile.layers.size(), layers.size());
  for (const auto& layer : profile.layers) {
    ASSERT_EQ(layers.count(layer.name), 1U) << layer.name;
    EXPECT_EQ(layer.kind, layers.at(layer.name).kind);
    EXPECT_EQ(layer.flops, layers.at(layer.name).flops);
    expect_times(layer.times, layer.name);
  }
  expect_times(profile.whole, "all");
  EXPECT_GT(profile.peak, 1e8);
  EXPECT_EQ(profile.batch, 3);
}

TEST(Profile, NamesTheNodesOfAnImportedNetwork) {
  const NetworkProfile profile = profile_network(imported(), 2, kQuick);
  ASSERT_EQ(profile.layers.size(), 3U);
  EXPECT_EQ(profile.layers[0].name, "conv");
  EXPECT_EQ(profile.layers[0].kind, "Conv");
  EXPECT_EQ(profile.layers[0].flops, 2 * 9 * 5 * 8 * 8);
  EXPECT_EQ(profile.layers[1].flops, 0);
  for (const auto& layer : {profile.layers[0], profile.layers[2]}) expect_times(layer.times, layer.name);
}

TEST(Profile, IsATableBehindTheSummary) {
  const auto run = run_in_process({"summary", "--arch", "small-cnn", "--size", "16", "--profile", "-b", "2"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("MFLOP per image"));
  EXPECT_THAT(run.out, HasSubstr("Time per image in batches of 2; a product of matrices reaches "));
  EXPECT_THAT(run.out, HasSubstr("between the layers"));
  const auto json = run_in_process({"summary", "--arch", "small-cnn", "--size", "16", "--profile", "--json"});
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const auto profile = nlohmann::json::parse(json.out).at("profile");
  EXPECT_EQ(profile.at("batch"), 64);
  EXPECT_GT(profile.at("layers").at(0).at("seconds").at("backward"), 0.0);
}

TEST(Profile, BatchesGoWithAProfile) {
  const auto run = run_in_process({"summary", "--arch", "small-cnn", "--batch-size", "8"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--batch-size 8: goes with --profile"));
}

}  // namespace

}  // namespace fercli
