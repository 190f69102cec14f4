#include <csignal>

#include "core/container.hpp"
#include "core/files.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli {

namespace {

using test::run_fercli;
using testing::HasSubstr;

std::vector<std::string> quick_run(const std::filesystem::path& out, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"train",       "--data",    test::drawn_once("synthetic:n=210,seed=2"),
                                     "--arch",      "small-cnn", "--set",
                                     "width=8",     "--epochs",  "2",
                                     "--lr",        "0.05",      "--batch-size",
                                     "16",          "--threads", "1",
                                     "--precision", "fp32",      "--out",
                                     out.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Ended by a signal in the middle of an epoch, then resumed: the same weights as a run that nothing disturbed.
void interrupt_and_resume(int signal_number, const std::filesystem::path& whole,
                          const std::vector<std::string>& more = {}) {
  const test::ScratchFolder parts;
  const auto state = parts / "training.state";
  auto careful = more, again = more;
  careful.insert(careful.end(), {"--save-every", "0"});
  again.push_back("--resume");
  const auto killed = run_fercli(
      quick_run(parts.path(), careful), [&] { return std::filesystem::exists(state); }, signal_number);
  ASSERT_NE(killed.exit_code, 0);
  const auto header = load_container(state, "training-state").header;
  ASSERT_EQ(header.at("epoch"), 0);
  ASSERT_GT(header.at("batch"), 0);

  const auto resumed = run_fercli(quick_run(parts.path(), again));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  for (const char* name : {"last.pt", "best.pt"})
    EXPECT_EQ(read_file(whole / name) == read_file(parts / name), true) << name;
}

/// Has an undisturbed run to look at.
class Train : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new test::ScratchFolder;
    result_ = new test::ProgramResult(run_fercli(quick_run(folder_->path())));
  }
  static void TearDownTestSuite() {
    delete result_;
    delete folder_;
  }
  void SetUp() override { ASSERT_EQ(result_->exit_code, 0) << result_->err; }

  static test::ScratchFolder* folder_;  ///< what it left
  static test::ProgramResult* result_;  ///< what it said
  const test::WithoutGnuplot no_curves_;
};

test::ScratchFolder* Train::folder_ = nullptr;
test::ProgramResult* Train::result_ = nullptr;

TEST_F(Train, InterruptedByCtrlCAndResumedGivesTheSameWeights) {
  interrupt_and_resume(SIGINT, folder_->path());
}

TEST_F(Train, AdversarialSaysItsRecipeAndSurvivesAKillInMidEpoch) {
  const std::vector<std::string> adversarial{"--adversarial", "--robust-steps", "2"};
  const test::ScratchFolder folder;
  const auto result = run_fercli(quick_run(folder.path(), adversarial));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("adversarial training: n-fgsm (de Jorge et al., arXiv:2202.01181), eps 4/255"));
  EXPECT_THAT(result.err, HasSubstr("robust "));
  EXPECT_THAT(result.out, HasSubstr("balanced robust accuracy"));
  const auto card = nlohmann::json::parse(read_file(folder / "model_card.json"));
  EXPECT_EQ(card.at("balanced_robust_validation_accuracy").at("n"), 21);
  EXPECT_THAT(read_file(folder / "history.csv"), HasSubstr("balanced_robust_accuracy"));
  interrupt_and_resume(SIGKILL, folder.path(), adversarial);
}

TEST_F(Train, StartsFromAShippedModelByName) {
  const test::ScratchFolder folder;
  const auto result = run_fercli({"train", "--data", "synthetic:n=21", "--weights", "standard", "--set", "width=64",
                                  "--epochs", "1", "--crop", "16", "--out", folder.path().string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("standard.pt"));
}

TEST_F(Train, LeavesEverythingARunPromises) {
  EXPECT_THAT(result_->out, HasSubstr("validation accuracy"));
  for (const char* name : {"best.pt", "last.pt", "training.state", "history.csv", "learning_curves.png",
                           "model_card.json", "small-cnn_arch.txt", "logs"}) {
    EXPECT_TRUE(std::filesystem::exists(*folder_ / name)) << name;
  }
  const auto card = nlohmann::json::parse(read_file(*folder_ / "model_card.json"));
  EXPECT_EQ(card.at("validation_accuracy").at("n"), 21);
  EXPECT_LE(card.at("validation_accuracy").at("interval").at(0), card.at("validation_accuracy").at("value"));
}

TEST_F(Train, RefusesAFolderWithResultsOfAnotherCommand) {
  const test::ScratchFolder folder;
  write_file(folder / ".fercli.json", R"({"command": "eval", "files": ["result.json"]})");
  for (const auto& more : std::vector<std::vector<std::string>>{{}, {"--resume"}}) {
    const auto result = test::run_in_process(quick_run(folder.path(), more));
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("holds results of fercli eval; choose another folder"));
  }
}

TEST_F(Train, ARefusedResumeLeavesTheFolderAsItIs) {
  const test::ScratchFolder folder;
  for (const char* name : {"training.state", "small-cnn_arch.txt"})
    std::filesystem::copy_file(*folder_ / name, folder / name);
  const auto result = test::run_in_process(quick_run(folder.path(), {"--resume", "--set", "width=4"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("is of another architecture"));
  EXPECT_EQ(read_file(folder / "small-cnn_arch.txt"), read_file(*folder_ / "small-cnn_arch.txt"));
}

TEST_F(Train, RefusesAFolderThatHoldsWeightsWithoutTheirState) {
  const test::ScratchFolder folder;
  write_file(folder / "best.pt", "mine");
  const auto result = test::run_in_process(quick_run(folder.path()));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("holds an earlier run; add --resume"));
  const auto resumed = test::run_in_process(quick_run(folder.path(), {"--resume"}));
  EXPECT_EQ(resumed.exit_code, 2);
  EXPECT_THAT(resumed.err, HasSubstr("holds an earlier run without its training.state, from which --resume goes on"));
  EXPECT_EQ(read_file(folder / "best.pt"), "mine");
}

TEST_F(Train, RefusesAFolderThatHoldsARun) {
  const test::ScratchFolder folder;
  write_file(folder / "training.state", "anything");
  const auto result = run_fercli(quick_run(folder.path()));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("holds an earlier run; add --resume"));
}

TEST_F(Train, RefusesADamagedState) {
  const test::ScratchFolder folder;
  write_file(folder / "training.state", "PK\x03\x04 no state");
  const auto result = run_fercli(quick_run(folder.path(), {"--resume"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("training.state: is truncated or damaged"));
}

TEST_F(Train, ExplainsWrongOptions) {
  const auto error = [](std::vector<std::string> more) {
    std::vector<std::string> arguments{"train"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = test::run_in_process(arguments);
    EXPECT_EQ(result.exit_code, 2);
    return result.err;
  };
  EXPECT_THAT(error({}), HasSubstr("--data SOURCE is needed"));
  EXPECT_THAT(error({"--data", "no-such-folder"}), HasSubstr("no-such-folder"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--arch", "resnett"}), HasSubstr("did you mean resnet?"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--arch", "emobot", "--crop", "40"}),
              HasSubstr("architecture emobot has dense layers"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--eps", "4/255"}), HasSubstr("--eps 4/255: is for --adversarial"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--adversarial", "--loss", "cross-entropy"}),
              HasSubstr("--adversarial needs one of fgsm-rs, free, ibp, mart, n-fgsm, pgd-at, trades"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--set", "width"}), HasSubstr("'width' must be NAME=NUMBER"));
  const test::ScratchFolder out;
  EXPECT_THAT(error({"--data", "synthetic:n=2", "--arch", "small-cnn", "--out", out.path().string()}),
              HasSubstr("leaves too few training images (1), at least 2 are needed"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--arch", "small-cnn", "--size", "4"}),
              HasSubstr("--size 4: architecture small-cnn takes images of 8 to 4096 pixels a side"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--size", "1000000"}), HasSubstr("--size 1000000: must be"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--epochs", "1", "--schedule", "cosine", "--warmup-epochs", "1"}),
              HasSubstr("--warmup-epochs 1: must be in [0, 1), less than --epochs"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--arch", "small-cnn", "--teacher", "nosuch", "--out", out.path()}),
              HasSubstr("--teacher nosuch: no such file"));
  EXPECT_THAT(error({"--data", "synthetic:n=14", "--device", "cuda:x"}), HasSubstr("--device cuda:x"));
}

TEST_F(Train, RefusesOptionsThatWouldDoNothing) {
  const auto error = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "--data", "no-such-file"});
    return test::run_in_process(more).err;
  };
  EXPECT_THAT(error({"--loss", "free", "--attack-statistics", "running"}), HasSubstr("--attack-statistics running: "));
  EXPECT_THAT(error({"--loss", "n-fgsm", "--beta", "3"}), HasSubstr("--beta 3: is for --loss mart or trades"));
  EXPECT_THAT(error({"--temperature", "2"}), HasSubstr("--temperature 2: is for --teacher"));
  EXPECT_THAT(error({"--teacher-share", "0.5"}), HasSubstr("--teacher-share 0.5: is for --teacher"));
  EXPECT_THAT(error({"--validation-data", "other", "--validation-share", "0.2"}),
              HasSubstr("--validation-share 0.2: does not go with --validation-data"));
  EXPECT_THAT(error({"--full-epochs", "1"}), HasSubstr("--full-epochs 1: is for --crop"));
  EXPECT_THAT(error({"--warmup-epochs", "1"}), HasSubstr("--warmup-epochs 1: is for --schedule cosine"));
  EXPECT_THAT(error({"--plateau-patience", "2"}), HasSubstr("--plateau-patience 2: is for --schedule plateau"));
  const test::ScratchFolder folder;
  write_file(folder / "a.ini", "full-epochs = 1\n");  // for runs of more kinds than one
  EXPECT_THAT(error({"--config", (folder / "a.ini").string()}), HasSubstr("no-such-file"));
}

TEST_F(Train, NeverValidatesOnPrivateTest) {
  const test::ScratchFolder folder;
  std::string pixels = "0";
  for (int i = 1; i < 48 * 48; ++i) pixels += " " + std::to_string(i % 256);
  write_file(folder / "private.csv", "emotion,pixels,Usage\n3," + pixels + ",PrivateTest\n");
  const auto result =
      test::run_in_process({"train", "--data", "synthetic:n=14", "--arch", "small-cnn", "--out",
                            (folder / "out").string(), "--validation-data", (folder / "private.csv").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("private.csv: has PrivateTest images only"));
}

TEST_F(Train, AClassThatIsMappedMayBeTheTrainingDatasAlone) {
  const test::ScratchFolder folder;
  std::string pixels = "0";
  for (int i = 1; i < 48 * 48; ++i) pixels += " " + std::to_string(i % 256);
  write_file(folder / "own.csv", "emotion,pixels\njoyful," + pixels + "\nsad," + pixels + "\n");
  write_file(folder / "other.csv", "emotion,pixels,Usage\nhappy," + pixels + ",PrivateTest\n");
  const auto result = test::run_in_process({"train", "--data", (folder / "own.csv").string(), "--map", "joyful=happy",
                                            "--validation-data", (folder / "other.csv").string(), "--arch", "small-cnn",
                                            "--out", (folder / "out").string()});
  EXPECT_THAT(result.err, HasSubstr("other.csv: has PrivateTest images only"));
}

TEST_F(Train, SaysWhatIsLeftOutOfTheValidationData) {
  const test::ScratchFolder folder;
  std::string pixels = "0";
  for (int i = 1; i < 48 * 48; ++i) pixels += " " + std::to_string(i % 256);
  const auto file = (folder / "bad.csv").string();
  write_file(file, "emotion,pixels,Usage\n3,1 2 3,PublicTest\n3," + pixels + ",PrivateTest\n");
  const auto result = test::run_in_process({"train", "--data", "synthetic:n=14", "--arch", "small-cnn", "--out",
                                            (folder / "out").string(), "--validation-data", file, "--skip-bad"});
  EXPECT_THAT(result.err, HasSubstr(file + ": left out 1 bad entries"));
}

TEST_F(Train, AResumeWritesTheLogThatTheFirstRunCouldNot) {
  const test::ScratchFolder folder;
  std::filesystem::copy(folder_->path(), folder.path(), std::filesystem::copy_options::recursive);
  for (const char* name : {"history.csv", "model_card.json"}) std::filesystem::remove(folder / name);
  const auto resumed = run_fercli(quick_run(folder.path(), {"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(read_file(folder / "history.csv"), read_file(*folder_ / "history.csv"));
  EXPECT_TRUE(std::filesystem::exists(folder / "model_card.json"));
}

TEST_F(Train, TakesWeightsFromAFileOfAnyName) {
  const test::ScratchFolder folder;
  const auto weights = folder / "w\xe9.pt";
  std::filesystem::copy_file(*folder_ / "best.pt", weights);
  const auto result =
      run_fercli({"train", "--data", "synthetic:n=14", "--arch", "small-cnn", "--set", "width=8", "--epochs", "1",
                  "--threads", "1", "--weights", weights.string(), "--out", folder.path().string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

#ifndef __SANITIZE_ADDRESS__  // which takes all address space itself
TEST(Program, SaysWhenMemoryRunsOut) {
  const auto result = test::run_program(
      "/bin/sh", {"-c", "ulimit -v 8000000; exec \"$0\" train --data synthetic:n=1000 --size 4096 --out /tmp/none",
                  FERCLI_PROGRAM});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("fercli: out of memory ("));
}
#endif

TEST(CalibrateCommand, WillNotLetTheCardTakeTheCheckpointsPlace) {
  const auto result = test::run_in_process({"calibrate", "--data", "synthetic:n=7", "--out", "cal.json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--out cal.json: the model card would take this very file"));
}

TEST(CalibrateCommand, WarnsAtTheEndOfItsSearch) {
  const test::ScratchFolder folder;
  const auto result = test::run_in_process({"calibrate", "--data", "synthetic:n=7,seed=3,classes=happy", "--split",
                                            "all", "--out", (folder / "c.pt").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("lies at the end of the search"));
}

TEST(Summary, PrintsTheTableOfLayers) {
  const test::ScratchFolder folder;
  const auto result = run_fercli({"summary", "--arch", "resnet", "--out", folder.path().string()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("stage3_2.second"));
  EXPECT_THAT(result.out, HasSubstr("2776775 parameters"));
  EXPECT_EQ(read_file(folder / "resnet_arch.txt"), result.out);
  EXPECT_EQ(test::run_in_process({"summary"}).exit_code, 2);
}

}  // namespace

}  // namespace fercli
