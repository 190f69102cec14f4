// `mpirun -np P fercli train`: processes of the real program that train one network.

#include <regex>

#include "core/files.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/mpirun.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TrainingUnderMpirun : public testing::Test {
 protected:
  void SetUp() override { require_mpirun(); }

  std::vector<std::string> training(const std::string& out, const std::vector<std::string>& more) const {
    std::vector<std::string> words{"train",
                                   "--data",
                                   drawn_once("synthetic:n=70,seed=2"),
                                   "--arch",
                                   "small-cnn:width=4",
                                   "--epochs",
                                   "2",
                                   "--batch-size",
                                   "16",
                                   "--precision",
                                   "fp32",
                                   "--out",
                                   (folder_ / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string weights(const std::string& out) const { return read_file(folder_ / (out + "/best.pt")); }

  /// Trained in micro-shards by one process.
  std::string weights_of_one_process(std::vector<std::string> more) const {
    const WithoutGnuplot no_curves;
    more.insert(more.end(), {"--micro-shards", "8"});
    const auto run = run_in_process(training("alone", more));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return weights("alone");
  }

  void expect_equal_weights(const std::string& ranks, const std::vector<std::string>& more) const {
    const auto run = run_mpirun(ranks, training("shared", more));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_TRUE(weights("shared") == weights_of_one_process(more));
    EXPECT_THAT(run.out, HasSubstr("best.pt: "));
  }

  const ScratchFolder folder_;
};

TEST_F(TrainingUnderMpirun, FourRanksEndWithTheWeightsOfOneProcess) {
  expect_equal_weights("4", {"--mixup", "0.2"});  // small-cnn has dropout
}

TEST_F(TrainingUnderMpirun, AdversarialTrainingTooEndsWithTheWeightsOfOneProcess) {
  expect_equal_weights("2", {"--adversarial", "--robust-images", "14", "--robust-steps", "2"});
}

TEST_F(TrainingUnderMpirun, StoppedByCtrlCWithTwoRanksItGoesOnWithOneToTheSameWeights) {
  const auto state = folder_ / "stopped/training.state";
  // At Ctrl-C mpirun gives a second, always. Where a rank is slower and is killed, the state of its last step is there.
  const auto stopped = run_mpirun("2", training("stopped", {"--save-every", "0"}), [&] { return fs::exists(state); });
  ASSERT_TRUE(fs::exists(state)) << stopped.err;
  ProgramResult resumed;
  do {  // mpirun may end before its ranks do
    resumed = run_in_process(training("stopped", {"--micro-shards", "8", "--resume"}));
  } while (resumed.err.find("is writing there") != std::string::npos);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_TRUE(weights("stopped") == weights_of_one_process({}));
}

int count_of(const std::string& text, const std::string& word) {
  int count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

TEST_F(TrainingUnderMpirun, ADivergingRunStopsAllRanksWithOneMessage) {
  const auto run = run_mpirun("2", training("nan", {"--weight-decay", "1e30"}));
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_EQ(count_of(run.err, "the training loss became"), 1) << run.err;
}

TEST_F(TrainingUnderMpirun, ANumberOfRanksThatDoesNotFitIsRefusedOnce) {
  const auto run = run_mpirun("3", training("three", {}));
  EXPECT_EQ(run.exit_code, 2) << run.err;
  EXPECT_EQ(count_of(run.err, "--micro-shards 8: cannot be shared equally among 3 processes; take a multiple of 3"), 1)
      << run.err;
}

TEST(TrainingInMicroShards, TellsWhereTheTimeWent) {
  const ScratchFolder folder;
  const auto run =
      run_in_process({"train", "--data", "synthetic:n=28,seed=2", "--arch", "small-cnn:width=4", "--epochs", "1",
                      "--batch-size", "8", "--micro-shards", "2", "--profile", "--out", folder.path().string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("3 steps of "));
  EXPECT_THAT(run.out, HasSubstr("process 0 of 1 sent 0.00 MB a step"));
  double sum = 0;
  const std::string works = run.out.substr(run.out.find("\nconvolutions ") + 1);
  const std::regex share("(-?[0-9.]+) %");
  for (std::sregex_iterator at(works.begin(), works.begin() + static_cast<int64_t>(works.find('\n')), share), end;
       at != end; ++at) {
    const double percent = std::stod((*at)[1]);
    EXPECT_GE(percent, 0);
    sum += percent;
  }
  EXPECT_NEAR(sum, 100, 0.5) << works;
}

TEST(TrainingInMicroShards, RefusesBatchesAndDataThatAreTooSmall) {
  const ScratchFolder folder;
  const auto run = [&](const std::string& images, const std::string& batch) {
    return run_in_process({"train", "--data", "synthetic:n=" + images + ",seed=2", "--batch-size", batch,
                           "--micro-shards", "8", "--out", folder.path().string()});
  };
  EXPECT_THAT(run("70", "14").err, HasSubstr("--batch-size 14: must be at least 16, two images for each of 8"));
  EXPECT_THAT(run("14", "16").err, HasSubstr("too few training images (13), at least 16 are needed"));
}

}  // namespace

}  // namespace fercli::test
