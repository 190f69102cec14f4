// --processes and mpirun: several processes of the real program that share one command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "core/files.hpp"
#include "core/text.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

/// By what /proc says of a process.
bool is_child_of(const fs::path& process, const std::string& parent, const std::string& program) {
  std::ifstream file(process / "stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto words = split(text.substr(std::min(text.size(), text.rfind(')') + 1)), ' ');
  return words.size() > 2 && words[2] == parent && text.find("(" + program + ")") != std::string::npos;
}

std::vector<std::string> children_of(const std::string& parent, const std::string& program = "fercli") {
  std::vector<std::string> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos && is_child_of(entry.path(), parent, program)) {
      children.push_back(name);
    }
  }
  return children;
}

/// The processes that help the one which this test has started.
std::vector<std::string> helpers() {
  std::vector<std::string> found;
  for (const auto& leader : children_of(std::to_string(getpid()))) {
    for (const auto& helper : children_of(leader)) found.push_back(helper);
  }
  return found;
}

class Teamwork : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    save_tiny_network(*folder_ / "model.pt", 3, 400);
    save_tiny_network(*folder_ / "other.pt", 4, 400);
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string file(const std::string& name) { return (*folder_ / name).string(); }

  static std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  static std::vector<std::string> eval(const std::string& out, const std::vector<std::string>& attack) {
    return joined({"eval", "--model", file("model.pt"), "--data", "synthetic:n=70,seed=4", "--split", "all", "--out",
                   file(out), "--threads", "1", "--precision", "fp32", "--eps", "1/255,2/255", "--attacks"},
                  attack);
  }

  static std::vector<std::string> short_eval(const std::string& out) {
    return eval(out, {"pgd,square", "--steps", "6", "--queries", "30", "--restarts", "2"});
  }

  /// FMN takes all its steps: seconds.
  static std::vector<std::string> long_eval(const std::string& out) { return eval(out, {"fmn", "--steps", "200"}); }

  /// What the two write when one process does all.
  static const std::string& result_of_short_eval() {
    static const std::string result = (run_in_process(short_eval("short")), written("short"));
    return result;
  }
  static const std::string& result_of_long_eval() {
    static const std::string result = (run_in_process(long_eval("long")), written("long"));
    return result;
  }

  /// What a run has written, without what a clock says and where it lies.
  static std::string written(const std::string& out) {
    json result = json::parse(read_file(file(out + "/result.json")));
    result.erase("timing");
    for (const char* place : {"out", "model"}) result["options"].erase(place);
    result["model"].erase("model");
    return result.dump() + read_file(file(out + "/per_image.csv"));
  }

  static std::string printed(const ProgramResult& run) {
    return std::regex_replace(run.out, std::regex("[0-9.,]+ images/s"), "images/s");
  }

  static std::unique_ptr<ScratchFolder> folder_;
};

std::unique_ptr<ScratchFolder> Teamwork::folder_;

TEST_F(Teamwork, AnEvaluationByThreeProcessesPrintsAndWritesWhatOneDoes) {
  const auto one = run_in_process(short_eval("one"));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const auto three = run_fercli(joined(short_eval("three"), {"--processes", "3"}));
  EXPECT_EQ(three.exit_code, 0) << three.err;
  EXPECT_EQ(printed(three), printed(one));
  EXPECT_EQ(written("three"), written("one"));
}

TEST_F(Teamwork, AnAttackOnTwoNetworksThatSearchesTheSmallestEpsGivesTheSameByTwoProcesses) {
  const auto attack = [](const std::string& out) {
    return std::vector<std::string>{"attack",
                                    "untargeted",
                                    "--model",
                                    file("model.pt") + "," + file("other.pt"),
                                    "--data",
                                    "synthetic:n=14,seed=4",
                                    "--split",
                                    "all",
                                    "--out",
                                    file(out),
                                    "--minimal-eps",
                                    "--threads",
                                    "1",
                                    "--precision",
                                    "fp32"};
  };
  const auto one = run_in_process(attack("attack-one"));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const auto two = run_fercli(joined(attack("attack-two"), {"--processes", "2"}));
  EXPECT_EQ(two.exit_code, 0) << two.err;
  for (const char* model : {"/model", "/other"}) {
    EXPECT_EQ(written(std::string("attack-two") + model), written(std::string("attack-one") + model));
  }
}

/// Without what a clock says.
void drop_seconds(json& value) {
  if (value.is_object()) value.erase("seconds");
  for (auto& part : value) {
    if (part.is_structured()) drop_seconds(part);
  }
}

TEST_F(Teamwork, AReportByTwoProcessesHasTheSameFigures) {
  const auto report = [](const std::string& out, const std::vector<std::string>& more) {
    return joined({"report", "--model", file("model.pt") + "," + file("other.pt"), "--data", "synthetic:n=21,seed=4",
                   "--out", file(out), "--threads", "1", "--precision", "fp32", "--parts",
                   "clean,robustness,transfer,calibration_under_attack,robustness.minimal_eps"},
                  more);
  };
  ASSERT_EQ(run_in_process(report("report-one", {})).exit_code, 0);
  const auto two = run_fercli(report("report-two", {"--processes", "2"}));
  ASSERT_EQ(two.exit_code, 0) << two.err;
  json first = json::parse(read_file(file("report-one/report.json"))),
       second = json::parse(read_file(file("report-two/report.json")));
  for (json* document : {&first, &second}) (*document)["options"].erase("out"), drop_seconds(*document);
  EXPECT_EQ(second.dump(), first.dump());
}

TEST_F(Teamwork, AHelperThatIsKilledIsReportedAndTheResultIsTheSame) {
  const fs::path state = file("killed/robustness.state");
  bool killed = false;
  const auto run = run_fercli(joined(long_eval("killed"), {"--processes", "2"}), [&] {
    if (killed || !fs::exists(state)) return false;
    const auto found = helpers();
    if (found.size() != 2) return false;
    killed = kill(std::stoi(found.front()), SIGKILL) == 0;
    return false;
  });
  EXPECT_TRUE(killed);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("was killed by signal 9"));
  EXPECT_EQ(written("killed"), result_of_long_eval());
}

TEST_F(Teamwork, CtrlCStopsAllAndTheSameCommandGoesOnWithAnyNumber) {
  const fs::path state = file("stopped/robustness.state");
  std::vector<std::string> seen;
  const auto stopped = run_fercli(
      joined(long_eval("stopped"), {"--processes", "2"}),
      [&] {
        if (!fs::exists(state)) return false;
        seen = helpers();
        return seen.size() == 2;
      },
      SIGINT);
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on from " + state.string()));
  EXPECT_EQ(seen.size(), 2u);
  for (const auto& process : seen) EXPECT_FALSE(fs::exists("/proc/" + process)) << process;
  EXPECT_FALSE(fs::exists(file("stopped/result.json")));
  ASSERT_EQ(run_in_process(long_eval("stopped")).exit_code, 0);
  EXPECT_EQ(written("stopped"), result_of_long_eval());
}

TEST_F(Teamwork, WhatIsWrongIsSaidOnce) {
  const auto run = run_fercli(
      {"eval", "--model", file("none.pt"), "--data", "synthetic:n=7,seed=1", "--attacks", "fgsm", "--processes", "3"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_THAT(run_in_process({"eval", "--processes", "2"}).err, HasSubstr("--processes 2: needs --attacks"));
  EXPECT_THAT(run_in_process({"eval", "--processes", "0"}).err, HasSubstr("--processes 0: must be in [1, 1024]"));
}

TEST_F(Teamwork, AShardCanBeMadeBySeveralProcesses) {
  for (const char* shard : {"1/2", "2/2"}) {
    const auto run = run_fercli(joined(short_eval("sharded"), {"--processes", "2", "--shard", shard}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  ASSERT_EQ(run_in_process({"merge", file("sharded")}).exit_code, 0);
  EXPECT_EQ(written("sharded"), result_of_short_eval());
}

class UnderMpirun : public Teamwork {
 protected:
  void SetUp() override {
    const fs::path module = fs::path(FERCLI_PROGRAM).parent_path() / "libfercli_mpi.so";
    if (!fs::exists(module) || std::system("command -v mpirun > /dev/null") != 0) {
      GTEST_SKIP() << "without OpenMPI";
    }
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  }

  static std::vector<std::string> with_ranks(const std::string& ranks, const std::vector<std::string>& words) {
    return joined({"-c", "exec mpirun --oversubscribe -np \"$@\"", "mpirun", ranks, FERCLI_PROGRAM}, words);
  }

  static ProgramResult mpirun(const std::string& ranks, const std::vector<std::string>& words) {
    return run_program("/bin/sh", with_ranks(ranks, words));
  }
};

TEST_F(UnderMpirun, OneTwoAndFourRanksPrintAndWriteWhatOneProcessDoes) {
  const auto one = run_in_process(short_eval("alone"));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  for (const char* ranks : {"1", "2", "4"}) {
    const std::string out = std::string("ranks-") + ranks;
    const auto run = mpirun(ranks, short_eval(out));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(printed(run), printed(one));
    EXPECT_EQ(written(out), written("alone"));
  }
}

TEST_F(UnderMpirun, AfterARankIsKilledTheSameCommandGoesOnWithAnyNumber) {
  const fs::path state = file("rank-killed/robustness.state");
  bool killed = false;
  const auto run = run_program("/bin/sh", with_ranks("3", long_eval("rank-killed")), [&] {
    if (killed || !fs::exists(state)) return false;
    for (const auto& mpirun : children_of(std::to_string(getpid()), "mpirun")) {
      const auto ranks = children_of(mpirun);
      if (ranks.size() == 3) killed = kill(std::stoi(ranks.back()), SIGKILL) == 0;
    }
    return false;
  });
  EXPECT_TRUE(killed);
  EXPECT_NE(run.exit_code, 0);
  ASSERT_TRUE(fs::exists(state));
  const auto again = mpirun("2", long_eval("rank-killed"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("going on from"));
  EXPECT_EQ(written("rank-killed"), result_of_long_eval());
}

TEST(WithoutMpi, MpirunIsToldThatTheProgramHasNoMpi) {
  const ScratchFolder folder;
  fs::copy_file(FERCLI_PROGRAM, folder / "fercli");
  const auto run = run_program(
      "/bin/sh",
      {"-c", "OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 exec \"$0\" eval --attacks fgsm --model standard",
       (folder / "fercli").string()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err,
              HasSubstr("mpirun: this fercli was built without MPI; install libopenmpi-dev and build it again"));
}

}  // namespace

}  // namespace fercli::test
