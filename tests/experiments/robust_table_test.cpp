// The program that makes the robustness table, on results written for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int64_t kImages = 40;

Result empty_result(const std::string& model) {
  Result result;
  result.command = "eval";
  result.n = kImages;
  result.dataset = {{"name", "/somewhere/fer"}, {"split", "PublicTest"}, {"classes", {"Happy", "Sad"}}};
  result.add_model({{"model", model}, {"digest", "d" + model}, {"arch", "small-cnn"}, {"settings", json::object()}});
  return result;
}

/// Attacks after which the first `right` of the images are right, at every eps.
Result robustness(const std::string& model, const std::vector<std::string>& attacks,
                  const std::vector<std::string>& ladder, int64_t right) {
  Result result = empty_result(model);
  result.metrics = {{"accuracy", proportion(right, kImages)},
                    {"balanced_accuracy", proportion(right, kImages)},
                    {"constant_answer_accuracy", proportion(10, kImages)}};
  result.threat_model = {{"norm", "Linf"}, {"eps", ladder}};
  const std::vector<Metric> at_each_eps(ladder.size(), proportion(right, kImages));
  LadderFigures figures;
  figures.base.norm = "Linf";
  figures.base.n = kImages;
  figures.base.eps = ladder;
  figures.base.eps_value.resize(ladder.size());
  figures.constant_answer = to_json(proportion(10, kImages));
  for (const auto& attack : attacks) {
    LadderAttack entry;
    entry.curves = {at_each_eps, at_each_eps, at_each_eps, attack};
    entry.settings = {{"name", attack}};
    entry.by_class = {{"Happy", at_each_eps, at_each_eps}};
    figures.attacks.push_back(std::move(entry));
  }
  result.parts["robustness"][result.model_name()] = Shape<LadderFigures>::write(figures);
  for (int64_t i = 0; i < kImages; ++i) {
    ImageFigures& image = result.per_image.emplace_back();
    image.id = std::to_string(i);
    image.label = "Happy";
    for (const auto& attack : attacks) image.answers[attack].assign(ladder.size(), i < right ? "Happy" : "Sad");
  }
  return result;
}

Result flips(const std::string& model, bool any_sure, bool minimal) {
  Result result = empty_result(model);
  result.metrics = {{"confident_share", proportion(any_sure ? 8 : 0, kImages)}, {"success_8bit", proportion(1, 8)}};
  if (minimal) result.metrics["median_minimal_eps"] = {4 / 255.0, {3 / 255.0, 5 / 255.0}, 8};
  return result;
}

/// What robust-results.sh leaves of a model; AutoAttack at the main eps alone.
void write_model(const ScratchFolder& out, const std::string& name, int64_t right) {
  const auto write = [&](const std::string& part, const Result& result) {
    std::filesystem::create_directories(out / name / part);
    write_result(result, out / name / part / "result.json");
  };
  write("eval", robustness(name, {"fgsm", "pgd"}, {"1/255", "2/255", "4/255", "8/255"}, right));
  write("autoattack", robustness(name, {"autoattack"}, {"4/255"}, right));
  write("happy-to-sad-4-0", flips(name, true, false));
  write("happy-to-sad-4-0.9", flips(name, false, false));
  write("happy-to-sad-8-0", flips(name, true, true));
  write("happy-to-sad-8-0.9", flips(name, true, false));
}

TEST(RobustTable, AndItsJsonShowWhatWasMeasuredAndNoPathOfThisMachine) {
  const ScratchFolder out;
  write_model(out, "weak.pt", 10);
  write_model(out, "strong.pt", 30);
  const auto run = run_program(FERCLI_ROBUST_TABLE, {out.path().string(), "weak.pt", "strong.pt"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, read_file(out / "robustness.md"));
  for (const char* part :
       {"| strong.pt | 40 | 75.0 (59.8–85.8) | 75.0 (59.8–85.8) |",
        "| weak.pt | 40 | 25.0 (14.2–40.2) | not run | not run | 25.0 (14.2–40.2) | not run |",
        "12.5 (2.2–47.1) of 8 | none is so sure | 12.5", "4/255 (3/255–5/255) of 8",
        "| weak.pt | strong.pt | autoattack | 40 | 0 | 20 |", "25.0 (14.2–40.2) of 40; answered 25"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }

  const auto text = read_file(out / "robustness.json");
  EXPECT_EQ(text.find("/somewhere"), std::string::npos);
  const json found = json::parse(text);
  expect_document("robustness-table", found, "robustness.json");
  const json& model = found.at("models").at(0);
  EXPECT_EQ(model.at("digest"), "dweak.pt");
  EXPECT_EQ(model.at("attacks").at(1).at("robust_accuracy").size(), 4u);
  EXPECT_EQ(model.at("attacks").at(2).at("robust_accuracy").size(), 1u);
  EXPECT_EQ(model.at("attacks").at(2).at("by_class").at(0).at("predicted").at(0).at("value"), 0.25);
  EXPECT_TRUE(model.at("happy_to_sad").at(1).at("success_8bit").is_null());
  EXPECT_TRUE(model.at("training").is_null());
  ASSERT_EQ(found.at("pairs").size(), 3u);
  for (const auto& pair : found.at("pairs")) {
    EXPECT_EQ(pair.at("only_second"), 20);
    EXPECT_NEAR(pair.at("p").get<double>(), std::ldexp(1, -19), 1e-12);
    EXPECT_NEAR(pair.at("p_holm").get<double>(), 3 * std::ldexp(1, -19), 1e-12);
  }
}

TEST(RobustTable, SaysWhichResultIsMissing) {
  const ScratchFolder out;
  write_model(out, "weak.pt", 10);
  std::filesystem::remove(out / "weak.pt" / "autoattack" / "result.json");
  const auto run = run_program(FERCLI_ROBUST_TABLE, {out.path().string(), "weak.pt"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("autoattack/result.json"));
  EXPECT_FALSE(std::filesystem::exists(out / "robustness.md"));
}

}  // namespace

}  // namespace fercli::test
