#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::ProgramResult;
using test::run_in_process;
using test::ScratchFolder;
using testing::HasSubstr;

/// Splits by file number: most Training, some PublicTest.
std::string faces() {
  return test::drawn_once("synthetic:n=70,seed=3");
}

/// A folder with an untrained network in it; the tests look at the bookkeeping, not at the figures.
class Eval : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    Checkpoint checkpoint;
    checkpoint.arch = "small-cnn";
    checkpoint.options = {1, 48, 7, {{"width", 8}, {"dropout", 0}}};
    checkpoint.classes = LabelSet::fer2013();
    checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 1);
    save_checkpoint(checkpoint, *folder_ / "tiny.pt");
    on_faces_ = std::make_unique<json>(result({"--data", faces(), "--split", "all", "--threads", "1"}));
  }

  static void TearDownTestSuite() {
    on_faces_.reset();
    folder_.reset();
  }

  static ProgramResult eval(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"eval", "--model", (*folder_ / "tiny.pt").string()});
    return run_in_process(arguments);
  }

  static json result(std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const auto run = eval(std::move(arguments));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return json::parse(run.out);
  }

  /// Three pictures named as in FER2013: two of Happy, alike, and one of Sad.
  static std::filesystem::path pictures(const std::string& folder, const std::vector<std::string>& names) {
    const auto images = test::sample_dataset(2).images;
    write_png(images[0], *folder_ / folder / "happy" / names[0]);
    write_png(images[0], *folder_ / folder / "happy" / names[1]);
    write_png(images[1], *folder_ / folder / "sad" / names[2]);
    return *folder_ / folder;
  }

  static std::unique_ptr<ScratchFolder> folder_;
  static std::unique_ptr<json> on_faces_;  ///< the result on all of faces()
};

std::unique_ptr<ScratchFolder> Eval::folder_;
std::unique_ptr<json> Eval::on_faces_;

/// Everything that must not depend on how the work was cut.
json figures(const json& result) {
  return {{"metrics", result.at("metrics")}, {"parts", result.at("parts")}, {"per_image", result.at("per_image")}};
}

TEST_F(Eval, PrintsTheLineThatScriptsLookFor) {
  const auto run =
      test::run_fercli({"eval", "--model", (*folder_ / "tiny.pt").string(), "--data", faces(), "--split", "all"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, testing::ContainsRegex("\nAccuracy on test set: [0-9]+%\n"));
  EXPECT_THAT(run.out, HasSubstr("(n = 70, 95 % CI"));
  EXPECT_THAT(run.out, HasSubstr("images/s"));
}

TEST_F(Eval, AnotherExecutorGivesTheSameAccuracyAndIsWrittenDown) {
  const json plain = result({"--data", faces(), "--split", "all", "--threads", "1", "--executor", "plain"});
  EXPECT_EQ(plain["metrics"]["accuracy"], (*on_faces_)["metrics"]["accuracy"]);
  EXPECT_EQ(plain["models"][0]["executor"], "plain");
}

TEST_F(Eval, QuietPrintsTheResultLineAlone) {
  const auto run = eval({"--data", faces(), "--split", "all", "-q"});
  EXPECT_THAT(run.out, testing::MatchesRegex("accuracy [0-9.]+ % .n = 70, 95 % CI [^\n]+\n"));
}

TEST_F(Eval, EveryTableComesAsCsvWithIntervalAndN) {
  const auto run = eval({"--data", faces(), "--split", "all", "--format", "csv"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const char* start : {"table,row,column,value,low,high,n\n", "\nAccuracy and calibration,accuracy,,",
                            "\n\"By class (%, 95 % CI)\",Happy,recall,", "\nConfusion (images),Happy,Sad,"}) {
    EXPECT_THAT(run.out, HasSubstr(start));
  }
  for (const auto& line : split_lines(run.out)) {
    const auto quoted = line.rfind('"');  // commas in quotes are none
    EXPECT_EQ(std::count(line.begin() + (quoted == std::string::npos ? 0 : quoted), line.end(), ','), 6) << line;
  }
}

TEST_F(Eval, PrintsTheResultAloneAsJson) {
  const json& document = *on_faces_;
  EXPECT_EQ(document["n"], 70);
  for (const char* name : {"accuracy", "balanced_accuracy", "ece", "brier", "nll", "macro_f1"}) {
    const auto& metric = document["metrics"][name];
    if (std::string(name) == "ece") continue;  // has none: an interval around it would hold the true value almost never
    EXPECT_LE(metric["interval"][0], metric["value"]) << name;
    EXPECT_GE(metric["interval"][1], metric["value"]) << name;
  }
  EXPECT_EQ(document["parts"]["clean"]["tiny"]["per_class"].size(), 7u);
  EXPECT_EQ(document["per_image"].size(), 70u);
  EXPECT_EQ(document["per_image"][0]["probabilities"].size(), 7u);
  EXPECT_EQ(document["options"]["split"], json({{"value", "all"}, {"source", "command line"}}));
  EXPECT_EQ(document["models"][0]["digest"].get<std::string>().size(), 64u);
}

TEST_F(Eval, GivesTheSameFiguresForAnyBatchSizeAndThreadCount) {
  const json cut = result({"--data", faces(), "--split", "all", "--threads", "2", "--batch-size", "9"});
  EXPECT_EQ(figures(cut), figures(*on_faces_));
}

TEST_F(Eval, RepeatsEveryByteButTheTimes) {
  json first = *on_faces_, second = result({"--data", faces(), "--split", "all", "--threads", "1"});
  EXPECT_GT(first["timing"]["images_per_second"], 0);
  first.erase("timing"), second.erase("timing");
  EXPECT_EQ(first.dump(), second.dump());
}

TEST_F(Eval, WritesResultTableAndFigures) {
  const auto out = *folder_ / "out";
  const auto run = eval({"--data", faces(), "--out", out.string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(json::parse(read_file(out / "result.json"))["command"], "eval");
  EXPECT_THAT(read_file(out / "per_image.csv"), HasSubstr("id,label,predicted,correct,p_Angry,"));
  for (const char* name : {"confusion_matrix.png", "reliability.png"}) {
    EXPECT_TRUE(std::filesystem::exists(out / name)) << name;
  }
}

TEST_F(Eval, TakesPublicTestByDefaultAndLeavesTrainingDuplicatesOut) {
  const auto place = pictures("duplicate", {"Training_1.png", "PublicTest_2.png", "PublicTest_3.png"});
  const json document = result({"--data", place.string()});
  EXPECT_EQ(document["dataset"]["split"], "PublicTest");
  EXPECT_EQ(document["n"], 2);
  EXPECT_EQ(document["metrics"]["accuracy_deduplicated"]["n"], 1);
}

TEST_F(Eval, WithoutTrainingImagesWarnsAndLeavesTheDeduplicatedAccuracyOut) {
  const auto place = pictures("private", {"PrivateTest_1.png", "PrivateTest_2.png", "PrivateTest_3.png"});
  const auto run = eval({"--data", place.string(), "--json"});
  const json document = json::parse(run.out);
  EXPECT_EQ(document["dataset"]["split"], "PrivateTest");
  EXPECT_FALSE(document["metrics"].contains("accuracy_deduplicated"));
  EXPECT_THAT(document["warnings"].dump(), HasSubstr("has no Training images"));
  EXPECT_THAT(run.err, HasSubstr("never choose by it"));
}

TEST_F(Eval, AveragesViewsWhenAsked) {
  const json flipped = result({"--data", faces(), "--split", "all", "--tta", "flip", "--threads", "1"});
  EXPECT_NE(flipped["metrics"]["nll"], (*on_faces_)["metrics"]["nll"]);
}

TEST_F(Eval, ASingleImageHasScoresWithIntervalsInRange) {
  write_png(test::sample_dataset(1).images[0], *folder_ / "single" / "happy" / "1.png");
  const auto run = eval({"--data", (*folder_ / "single").string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, testing::ContainsRegex("Brier score +[0-9.]+ \\(n = 1, 95 % CI [0-2]"));
  EXPECT_THAT(run.out, testing::Not(HasSubstr("CI nan")));
}

TEST_F(Eval, AFileNameThatIsNotUtf8IsWrittenWithAReplacement) {
  write_png(test::sample_dataset(1).images[0], *folder_ / "latin" / "happy" / "caf\xe9.png");
  const json document = result({"--data", (*folder_ / "latin").string(), "--out", (*folder_ / "latin-out").string()});
  EXPECT_THAT(document["per_image"][0]["id"].get<std::string>(), HasSubstr("caf\xef\xbf\xbd.png"));
}

TEST_F(Eval, RefusesImagesWithoutLabels) {
  const auto file = *folder_ / "unlabelled.csv";
  std::string pixels = "0";
  for (int i = 1; i < 48 * 48; ++i) pixels += " " + std::to_string(i % 256);
  write_file(file, "pixels\n" + pixels + "\n");
  const auto run = eval({"--data", file.string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("1 of 1 images have no label"));
}

TEST_F(Eval, SuggestsTheSplitThatWasMeant) {
  const auto run = eval({"--data", faces(), "--split", "PublicTst"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("unknown split 'PublicTst'; did you mean PublicTest?"));
}

}  // namespace

}  // namespace fercli
