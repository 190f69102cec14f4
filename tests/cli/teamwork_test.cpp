// --processes and mpirun: several processes of the real program that share one command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "core/files.hpp"
#include "core/text.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/mpirun.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

/// The processes that `parent` has started, whatever they run (mpirun becomes prterun where OpenMPI is a newer one).
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");  // number (name) state parent …; empty where the process is gone
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const size_t end = text.rfind(") ");
    if (end == std::string::npos) continue;
    const auto words = split(text.substr(end + 2), ' ');
    if (words.size() > 1 && words[1] == std::to_string(parent)) children.push_back(std::stoi(name));
  }
  return children;
}

class Teamwork : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    save_tiny_network(*folder_ / "model.pt", 3, 400);
    save_tiny_network(*folder_ / "other.pt", 4, 400);
  }
  static void TearDownTestSuite() { folder_.reset(); }
  void SetUp() override { no_figures_.emplace(); }

  static std::string file(const std::string& name) { return (*folder_ / name).string(); }

  static std::vector<std::string> joined(std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  static std::vector<std::string> eval(const std::string& out, const std::vector<std::string>& attack) {
    return joined({"eval", "--model", file("model.pt"), "--data", drawn_once("synthetic:n=70,seed=4"), "--split", "all",
                   "--out", file(out), "--threads", "1", "--precision", "fp32", "--eps", "1/255,2/255", "--attacks"},
                  attack);
  }

  static std::vector<std::string> short_eval(const std::string& out) {
    return eval(out, {"pgd,square", "--steps", "6", "--queries", "30", "--restarts", "2"});
  }

  struct Undisturbed {
    std::string printed, written;
  };

  /// short_eval by one process, once for all tests.
  static const Undisturbed& by_one_process() {
    static const Undisturbed result = [] {
      const WithoutGnuplot no_figures;
      const auto run = run_in_process(short_eval("one"));
      EXPECT_EQ(run.exit_code, 0) << run.err;
      return Undisturbed{printed(run), written("one")};
    }();
    return result;
  }

  /// For run_program: once the run has begun, its `leader` is held, so that nothing ends meanwhile, and `act` is called
  /// with it and its two `helpers`.
  template <typename Act>
  static std::function<bool()> while_held(const std::string& out, const Act& act) {
    const fs::path state = file(out + "/robustness.state");
    return [state, act, acted = false]() mutable {
      if (acted || !fs::exists(state)) return false;
      const auto leaders = children_of(getpid());
      if (leaders.size() != 1) return false;
      kill(leaders[0], SIGSTOP);
      const auto helpers = children_of(leaders[0]);
      acted = helpers.size() == 2;
      if (acted) act(leaders[0], helpers);
      kill(leaders[0], SIGCONT);
      return false;
    };
  }

  /// What a run has written, without what a clock says and where it lies.
  static std::string written(const std::string& out) {
    json result = json::parse(read_file(file(out + "/result.json")));
    result.erase("timing");
    for (const char* place : {"out", "model"}) result["options"].erase(place);
    result["models"][0].erase("model");
    return result.dump() + read_file(file(out + "/per_image.csv"));
  }

  static std::string printed(const ProgramResult& run) {
    std::string text = std::regex_replace(run.out, std::regex("[0-9.,]+ images/s"), "images/s");
    const std::string folder = folder_->path().string();
    for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) text.erase(at, folder.size());
    return text;
  }

  static std::unique_ptr<ScratchFolder> folder_;
  std::optional<WithoutGnuplot> no_figures_;
};

std::unique_ptr<ScratchFolder> Teamwork::folder_;

TEST_F(Teamwork, AnEvaluationByThreeProcessesPrintsAndWritesWhatOneDoes) {
  const auto three = run_fercli(joined(short_eval("three"), {"--processes", "3"}));
  EXPECT_EQ(three.exit_code, 0) << three.err;
  EXPECT_EQ(printed(three), by_one_process().printed);
  EXPECT_EQ(written("three"), by_one_process().written);
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
    return joined({"report", "--model", file("model.pt") + "," + file("other.pt"), "--data", "synthetic:n=14,seed=4",
                   "--out", file(out), "--threads", "1", "--precision", "fp32", "--parts", "robustness,transfer"},
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
  const auto run = run_program(
      FERCLI_PROGRAM, joined(short_eval("killed"), {"--processes", "2"}),
      while_held("killed", [](pid_t, const std::vector<pid_t>& helpers) { EXPECT_EQ(kill(helpers[0], SIGKILL), 0); }));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("was killed by signal 9"));
  EXPECT_EQ(written("killed"), by_one_process().written);
}

TEST_F(Teamwork, CtrlCStopsAllAndTheSameCommandGoesOnWithAnyNumber) {
  std::vector<pid_t> seen;
  const auto stopped = run_program(FERCLI_PROGRAM, joined(short_eval("stopped"), {"--processes", "2"}),
                                   while_held("stopped", [&](pid_t leader, const std::vector<pid_t>& helpers) {
                                     seen = helpers;
                                     kill(leader, SIGINT);
                                   }));
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on from " + file("stopped/robustness.state")));
  EXPECT_EQ(seen.size(), 2u);
  for (const pid_t process : seen) EXPECT_FALSE(fs::exists("/proc/" + std::to_string(process))) << process;
  EXPECT_FALSE(fs::exists(file("stopped/result.json")));
  ASSERT_EQ(run_in_process(short_eval("stopped")).exit_code, 0);
  EXPECT_EQ(written("stopped"), by_one_process().written);
}

TEST_F(Teamwork, ASignalToAllProcessesEndsNoHelperBeforeItHasHandedOverItsWork) {
  const auto stopped =
      run_program(FERCLI_PROGRAM, joined(short_eval("all"), {"--processes", "2"}),
                  while_held("all", [](pid_t leader, const std::vector<pid_t>& helpers) {
                    for (const pid_t helper : helpers) {
                      const std::string about = "/proc/" + std::to_string(helper);
                      std::string name;  // it takes its own once it has joined the team
                      for (int look = 0; look < 1000 && name != "fercli"; ++look) {
                        std::ifstream(about + "/comm") >> name;
                        usleep(10000);
                      }
                      for (const int signal_number : {SIGTERM, SIGINT}) kill(helper, signal_number);
                      usleep(200000);
                      std::ifstream stat(about + "/stat");
                      const std::vector<std::string> facts{std::istream_iterator<std::string>(stat), {}};
                      ASSERT_FALSE(facts.empty());  // its leader is held, and cannot fetch its status
                      EXPECT_EQ(std::stoi(facts.back()) & 0x7f, 0) << "ended by a signal";
                    }
                    kill(leader, SIGTERM);
                  }));
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on from " + file("all/robustness.state")));
  ASSERT_EQ(run_in_process(short_eval("all")).exit_code, 0);
  EXPECT_EQ(written("all"), by_one_process().written);
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
  const auto run = run_fercli(joined(short_eval("sharded"), {"--processes", "2", "--shard", "1/2"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  ASSERT_EQ(run_in_process(joined(short_eval("sharded"), {"--shard", "2/2"})).exit_code, 0);
  ASSERT_EQ(run_in_process({"merge", file("sharded")}).exit_code, 0);
  EXPECT_EQ(written("sharded"), by_one_process().written);
}

class UnderMpirun : public Teamwork {
 protected:
  void SetUp() override { require_mpirun(); }  // which needs PATH
};

TEST_F(UnderMpirun, OneAndThreeRanksPrintAndWriteWhatOneProcessDoes) {
  for (const char* ranks : {"1", "3"}) {
    const std::string out = std::string("ranks-") + ranks;
    const auto run = run_mpirun(ranks, short_eval(out));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(printed(run), by_one_process().printed);
    EXPECT_EQ(written(out), by_one_process().written);
  }
}

TEST_F(UnderMpirun, AfterARankIsKilledTheSameCommandGoesOnWithAnyNumber) {
  const fs::path state = file("rank-killed/robustness.state");
  bool killed = false;
  const auto run = run_mpirun("3", short_eval("rank-killed"), [&] {
    if (killed || !fs::exists(state)) return false;
    const auto launchers = children_of(getpid());
    if (launchers.size() != 1) return false;
    const auto ranks = children_of(launchers[0]);
    if (ranks.size() == 3) killed = kill(ranks.back(), SIGKILL) == 0;
    return false;
  });
  EXPECT_TRUE(killed);
  EXPECT_NE(run.exit_code, 0);
  ASSERT_TRUE(fs::exists(state));
  const auto again = run_mpirun("2", short_eval("rank-killed"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("going on from"));
  EXPECT_EQ(written("rank-killed"), by_one_process().written);
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
