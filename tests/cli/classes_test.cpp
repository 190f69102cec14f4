// Networks and data of other classes than FER2013's seven, through the commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "models/checkpoint.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// A folder of drawn faces with classes of its own, and a network that has learnt them for a moment.
class OwnClasses : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    run({"data", "convert", "synthetic:n=60,seed=3,classes=happy+sad", file("faces"), "--map",
         "happy=no pain,sad=pain"});
    trained_ = run({"train",   "--data",    file("faces"), "--classes",    "folder", "--arch", "small-cnn", "--set",
                    "width=8", "--epochs",  "6",           "--batch-size", "8",      "--lr",   "0.05",      "--ema",
                    "0",       "--threads", "1",           "--precision",  "fp32",   "--out",  file("net")});
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return (*folder_ / name).string(); }

  static ProgramResult run(const std::vector<std::string>& arguments) {
    const auto result = run_in_process(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }

  /// The command on the network and the data of these classes.
  static ProgramResult command(const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> all{name,      "--model",    file("net/best.pt"), "--data", file("faces"),
                                 "--split", "PublicTest", "--threads",         "1",      "--precision",
                                 "fp32"};
    all.insert(all.begin() + 1, more.begin(), more.end());
    return run(all);
  }

  static std::unique_ptr<ScratchFolder> folder_;
  static ProgramResult trained_;
  const WithoutGnuplot no_figures_;
};

std::unique_ptr<ScratchFolder> OwnClasses::folder_;
ProgramResult OwnClasses::trained_;

TEST_F(OwnClasses, AreLearntFromTheFoldersNames) {
  EXPECT_THAT(load_checkpoint(file("net/best.pt")).classes.names(), ElementsAre("no pain", "pain"));
}

TEST_F(OwnClasses, AreJudgedWithoutAnOption) {
  const json result =
      json::parse(command("eval", {"--json", "--attacks", "fgsm,apgd-dlr,apgd-t", "--eps", "4/255"}).out);
  EXPECT_EQ(result.at("n"), 6);
  EXPECT_EQ(result.at("parts").at("clean").at("net").at("confusion_matrix").size(), 2u);
  EXPECT_EQ(result.at("dataset").at("classes"), json({"no pain", "pain"}));
}

TEST_F(OwnClasses, AreAttackedByName) {
  const auto attacked =
      run_in_process({"attack", "pain-to-no pain", "--model", file("net/best.pt"), "--data", file("faces"), "--eps",
                      "0.2", "--min-confidence", "0", "--threads", "1", "--out", file("attacked")});
  EXPECT_NE(attacked.exit_code, 2) << attacked.err;
  EXPECT_EQ(json::parse(read_file(file("attacked/result.json"))).at("threat_model").at("goal"), "pain-to-no pain");
}

TEST_F(OwnClasses, HaveAReport) {
  command("report", {"--parts", "clean,robustness,vulnerability,gallery", "--out", file("report")});
  EXPECT_THAT(read_file(file("report/report.md")), HasSubstr("no pain"));
}

TEST_F(OwnClasses, OfAnotherNetworkAreNamedAsTheMistake) {
  const auto wrong = run_in_process({"eval", "--model", file("net/best.pt"), "--data", "synthetic:n=14"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("which is not among the classes wanted (no pain, pain); --map"));
  const json mapped = json::parse(run({"eval", "--model", file("net/best.pt"), "--data", "synthetic:n=14", "--split",
                                       "all", "--map", "happy=no pain,sad=pain,*=drop", "--json"})
                                      .out);
  EXPECT_EQ(mapped.at("n"), 4);
}

TEST_F(OwnClasses, WithoutTrainingImagesAreSaidAndNotLearnt) {
  const auto run_of_two =
      run({"train", "--data", "synthetic:n=40,classes=contempt+happy", "--arch", "small-cnn", "--set", "width=4",
           "--epochs", "1", "--batch-size", "8", "--threads", "1", "--out", file("two")});
  EXPECT_THAT(run_of_two.err, HasSubstr("no training image is of Angry, Disgust, Fear, Sad, Surprise, Neutral: the "
                                        "network gets 2 outputs, for Happy, Contempt"));
  EXPECT_EQ(load_checkpoint(file("two/best.pt")).classes.size(), 2);
  const auto attacked = run_in_process({"attack", "contempt-to-happy", "--model", file("two/best.pt"), "--data",
                                        "synthetic:n=8,classes=contempt", "--min-confidence", "0", "--eps", "0.3",
                                        "--out", file("contempt")});
  EXPECT_THAT(attacked.out + attacked.err, HasSubstr("Contempt"));
  EXPECT_NE(attacked.exit_code, 2) << attacked.err;
}

TEST_F(OwnClasses, OfOneKindAreNotLearnt) {
  const auto alone = run_in_process({"train", "--data", file("faces"), "--classes", "folder", "--map", "*=face",
                                     "--arch", "small-cnn", "--epochs", "1", "--threads", "1", "--out", file("alone")});
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_THAT(alone.err, HasSubstr("has training images of face only, where two classes are the least"));
}

TEST_F(OwnClasses, OfVotesAreLearntAndWeighThePredictions) {
  run({"data", "convert", "synthetic:n=40,classes=happy+sad", file("faces.csv")});
  std::string votes = "Image name,happiness,sadness,NF\n";
  for (int row = 0; row < 40; ++row) votes += row % 2 == 0 ? ",9,1,0\n" : ",2,8,0\n";
  write_file(file("votes.csv"), votes);
  run({"train", "--data", file("faces.csv"), "--votes", file("votes.csv"), "--arch", "small-cnn", "--set", "width=4",
       "--epochs", "1", "--batch-size", "8", "--threads", "1", "--out", file("voted")});
  const json result = json::parse(run({"eval", "--model", file("voted/best.pt"), "--data", file("faces.csv"), "--split",
                                       "all", "--votes", file("votes.csv"), "--json"})
                                      .out);
  const double by_votes = result.at("metrics").at("accuracy_by_votes").at("value"),
               accuracy = result.at("metrics").at("accuracy").at("value");
  EXPECT_GE(by_votes, 0.1 + 0.6 * accuracy - 1e-9);  // a right answer has at least 0.8 of the votes, a wrong one 0.1
  EXPECT_LE(by_votes, 0.2 + 0.7 * accuracy + 1e-9);
}

TEST_F(OwnClasses, GroupsAreComparedInTableReportAndJson) {
  const auto printed =
      run_in_process({"eval", "--model", file("net/best.pt"), "--data", file("faces"), "--groups", "data", "--attacks",
                      "fgsm", "--eps", "2/255", "--split", "all", "--out", file("grouped")});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_THAT(printed.out, HasSubstr("By skin (%, 95 % CI)"));
  EXPECT_THAT(printed.out, HasSubstr("Largest gaps between groups of at least 10 images"));
  const json columns =
      json::parse(read_file(file("grouped/result.json"))).at("parts").at("groups").at("net").at("columns");
  int64_t images = 0;
  for (const auto& group : columns.at(0).at("groups")) images += group.at("n").get<int64_t>();
  EXPECT_EQ(images, 60);
  run({"report", file("grouped/result.json"), "--out", file("of-groups")});
  const std::string page = read_file(file("of-groups/report.md"));
  EXPECT_THAT(page, HasSubstr("For whom it fails"));
  EXPECT_THAT(page, HasSubstr("By skin"));
  run({"data", "convert", file("faces"), file("own.csv"), "--classes", "folder"});
  const auto none =
      run_in_process({"eval", "--model", file("net/best.pt"), "--data", file("own.csv"), "--groups", "data"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("own.csv says nothing of groups; give a FILE.csv with a column id or file"));
}

}  // namespace

}  // namespace fercli::test
