#include "eval/measures/calibration.hpp"

#include "core/files.hpp"
#include "core/random.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

/// Labels drawn from softmax(logits).
torch::Tensor drawn_labels(const torch::Tensor& logits) {
  const auto sums = logits.softmax(1).cumsum(1);
  Rng rng(4);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < logits.size(0); ++i) {
    const double u = rng.uniform();
    labels.push_back(std::min<int64_t>(sums[i].lt(u).sum().item<int64_t>(), logits.size(1) - 1));
  }
  return torch::tensor(labels, torch::kInt64);
}

std::vector<int64_t> numbers(int64_t n) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return index;
}

TEST(Calibration, FindsTheTemperatureThatTheLabelsWereDrawnAt) {
  const auto logits = 2 * normal_rows(Rng(1), numbers(4000), {7});
  const auto labels = drawn_labels(logits);
  EXPECT_NEAR(fit_temperature(logits, labels), 1, 0.06);
  EXPECT_NEAR(fit_temperature(logits * 3, labels), 3 * fit_temperature(logits, labels), 1e-3);
  EXPECT_NEAR(fit_temperature(logits / 4, labels), fit_temperature(logits, labels) / 4, 1e-3);
}

TEST(Calibration, TheCommandChangesNoDecisionAndFitsNoWorse) {
  const ScratchFolder folder;
  const std::string data = "synthetic:n=70,seed=3", out = (folder / "calibrated.pt").string();
  const auto result = run_in_process({"calibrate", "--data", data, "--split", "all", "--out", out, "-q"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto before = load_checkpoint(resolve_model("standard")), after = load_checkpoint(out);
  const double temperature = after.training.at("calibration").at("temperature");
  EXPECT_THAT(result.out, testing::HasSubstr(fmt::format("temperature {:.4f}", temperature)));
  const auto x = uniform_rows(Rng(2), numbers(5), {1, 48, 48}) / 2 + 0.5;
  // Weights are stored in 16 bits: scaling rounds them once more.
  const auto expected = make_classifier(before, {}).logits(x) / temperature;
  EXPECT_TRUE(make_classifier(after, {}).logits(x).allclose(expected, 1e-2, 2e-2));
  const auto card = nlohmann::json::parse(read_file(folder / "calibrated.json"));
  expect_document("model-card", card, "calibrated.json");
  EXPECT_EQ(card.at("digest"), after.digest);
  EXPECT_EQ(card.at("training").at("calibration"), after.training.at("calibration"));
}

constexpr int64_t kSide = 8, kRight = 100;

/// Saves, as net.pt, one dense layer on 8x8 images: an even grey of level g has the logits 200 g / 255 and 0.
void save_linear_network(const ScratchFolder& folder) {
  Checkpoint checkpoint;
  checkpoint.arch = "test-linear";
  checkpoint.options = {1, kSide, 2, {}};
  checkpoint.preprocessing = {1, kSide, {0.0}, {1.0}};
  checkpoint.classes = LabelSet({"Happy", "Sad"});
  checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 0);
  checkpoint.training = nlohmann::json::object();
  const torch::NoGradGuard no_grad;
  auto parameters = checkpoint.network->named_parameters();
  parameters["head.bias"].zero_();
  parameters["head.weight"].zero_();
  parameters["head.weight"][0].fill_(200.0 / (kSide * kSide));
  save_checkpoint(checkpoint, folder / "net.pt");
}

/// What `fercli calibrate` stores for net.pt by right answers of grey 51 and a wrong one of white.
double stored_temperature(const ScratchFolder& folder) {
  const auto grey = [](int64_t level) { return torch::full({1, kSide, kSide}, level, torch::kUInt8); };
  for (int64_t i = 0; i < kRight; ++i) write_png(grey(51), folder / "faces" / "Happy" / fmt::format("{}.png", i));
  write_png(grey(255), folder / "faces" / "Sad" / "happier.png");
  const auto result =
      run_in_process({"calibrate", "-m", (folder / "net.pt").string(), "--data", (folder / "faces").string(), "--split",
                      "all", "--out", (folder / "calibrated.pt").string(), "-q"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return load_checkpoint(folder / "calibrated.pt").training.at("calibration").at("temperature");
}

/// Where the slopes of the right answers with this margin and of a wrong one with 200 cancel.
double expected_temperature(double margin) {
  return margin / std::log(kRight * margin / 200 - 1);
}

TEST(Calibration, TheCommandHeedsHowSureAWrongAnswerWas) {
  const ScratchFolder folder;
  save_linear_network(folder);
  EXPECT_NEAR(stored_temperature(folder), expected_temperature(40), 0.01);
}

TEST(Calibration, TheStoredTemperatureIsThatOfFloat32) {
  const ScratchFolder folder;
  save_linear_network(folder);
  const auto x = torch::full({1, 1, kSide, kSide}, 51 / 255.0);
  const auto margin = [&](const std::string& precision) {
    return make_classifier(load_checkpoint(folder / "net.pt"), {0, precision}).logits(x)[0][0].item<double>();
  };
  const double exact = expected_temperature(margin("fp32")), coarse = expected_temperature(margin("bf16"));
  ASSERT_GT(std::abs(exact - coarse), 0.005);
  EXPECT_NEAR(stored_temperature(folder), exact, 0.001);
}

TEST(Calibration, OnlyTheCardOfThisVeryNetworkGoesWithIt) {
  const ScratchFolder folder;
  const auto standard = resolve_model("standard");
  std::filesystem::copy_file(standard, folder / "net.pt");
  auto card = nlohmann::json::parse(read_file(std::filesystem::path(standard).replace_extension(".json")));
  const auto calibrate = [&] {
    return run_in_process({"calibrate", "-m", (folder / "net.pt").string(), "--data", "synthetic:n=14,seed=3",
                           "--split", "all", "--out", (folder / "out.pt").string(), "--force"});
  };
  write_file(folder / "model_card.json", card.dump());
  ASSERT_EQ(calibrate().exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(read_file(folder / "out.json")).at("arch"), card.at("arch"));
  card["digest"] = "of another network";
  write_file(folder / "model_card.json", card.dump());
  ASSERT_EQ(calibrate().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "out.json")) << "it told of the network that --out had before";
  write_file(folder / "out.json", R"({"mine": 1})");
  ASSERT_EQ(calibrate().exit_code, 0);
  EXPECT_EQ(read_file(folder / "out.json"), R"({"mine": 1})") << "it is no card";
}

TEST(Calibration, TheCommandNeedsAFileToWrite) {
  const auto result = run_in_process({"calibrate", "--data", "synthetic:n=7"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, testing::HasSubstr("fercli calibrate: --out FILE is needed"));
}

}  // namespace

}  // namespace fercli::test
