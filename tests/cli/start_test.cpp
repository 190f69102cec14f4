// The program as a shell starts it; other tests let a waiting program become each run (waiting_program.hpp).
#include <csignal>

#include "core/command.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

ProgramResult in_shell(const std::string& line) {
  return run_program("/bin/sh", {"-c", line, FERCLI_PROGRAM});
}

TEST(StartedAnew, PrintsWhatAWaitingProgramDoes) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"atack"}, {}}) {
    const auto anew = run_program(FERCLI_PROGRAM, words), waiting = run_fercli(words);
    EXPECT_EQ(anew.exit_code, waiting.exit_code);
    EXPECT_EQ(anew.out, waiting.out);
    EXPECT_EQ(anew.err, waiting.err);
  }
}

TEST(StartedAnew, NothingThatItPrintsIntoAPipeIsLost) {
  EXPECT_EQ(in_shell("\"$0\" schema result | cat").out, run_in_process({"schema", "result"}).out);
}

TEST(StartedAnew, OnAFullDiskExitsWithOne) {
  const auto result = in_shell("exec \"$0\" version > /dev/full");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("standard output: cannot be written (No space left on device)"));
}

TEST(StartedAnew, WithALimitOfFileSizesExitsWithOne) {
  const ScratchFolder folder;
  const auto file = (folder / "set.csv").string();
  const auto result = in_shell("ulimit -f 1; exec \"$0\" data convert synthetic:n=7 " + file);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("cannot be written (File too large)"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

/// What users start answers some requests itself, and must then say what the program proper says.
TEST(Start, SaysWhatTheProgramSays) {
  const std::vector<std::vector<std::string>> requests{{"--version"},
                                                       {"-V"},
                                                       {"--help"},
                                                       {"-h"},
                                                       {"help"},
                                                       {"help", "data"},
                                                       {"help", "data", "audit"},
                                                       {"data", "--help"},
                                                       {"data", "audit", "-h"},
                                                       {"help", "help"},
                                                       {"help", "fgsm"}};  // the program's
  for (const auto& words : requests) {
    const auto started = run_program(FERCLI_START, words), proper = run_fercli(words);
    EXPECT_EQ(started.exit_code, proper.exit_code) << testing::PrintToString(words);
    EXPECT_EQ(started.out, proper.out);
    EXPECT_EQ(started.err, proper.err);
  }
}

/// With a script in the program's place, which needs no LibTorch.
TEST(Start, BecomesTheProgramForAllElse) {
  namespace fs = std::filesystem;
  const ScratchFolder folder;
  const fs::path start = folder / "fercli", program = folder / "program" / "fercli";
  fs::copy_file(FERCLI_START, start);
  write_file(program, "#!/bin/sh\nprintf '%s\\n' \"the program\" \"$@\"\nexit 7\n");
  fs::permissions(program, fs::perms::owner_all);
  fs::create_directory_symlink(fs::path(FERCLI_PROGRAM).parent_path() / "help", program.parent_path() / "help");
  EXPECT_EQ(run_program(start.string(), {"--help"}).exit_code, 0);
  const std::vector<std::vector<std::string>> requests{{},
                                                       {"version", "--json"},
                                                       {"help", "fgsm"},
                                                       {"atack"},
                                                       {"help", "../x"},
                                                       {"--help", "attack"},
                                                       {"help", "attack", "--plugin", "x.so"}};
  for (const auto& words : requests) {
    const auto result = run_program(start.string(), words);
    EXPECT_EQ(result.exit_code, 7) << testing::PrintToString(words);
    std::string expected = "the program\n";
    for (const auto& word : words) expected += word + "\n";
    EXPECT_EQ(result.out, expected);
  }
}

TEST(Start, EachCommandHasItsPage) {
  for (const auto& words : callable_commands()) {
    const auto page = std::filesystem::path(FERCLI_PROGRAM).parent_path() / "help" / join(words, " ");
    const bool shown = !Registry<Command>::instance().get(words[0]).hidden;
    EXPECT_EQ(std::filesystem::exists(page), shown) << page;
  }
}

TEST(Start, AnswersWithoutTheLibrariesOfTheProgram) {
  const auto result = in_shell("LD_DEBUG=libs exec \"" FERCLI_START "\" --version");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, testing::Not(HasSubstr("libtorch")));
}

TEST(Start, WithoutItsProgramItSaysSo) {
  const ScratchFolder folder;
  std::filesystem::copy_file(FERCLI_START, folder / "fercli");
  const auto result = run_program((folder / "fercli").string(), {"--version"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("the installation is not whole"));
}

TEST(Start, OnAFullDiskExitsWithOne) {
  const auto result = in_shell("exec \"" FERCLI_START "\" --version > /dev/full");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("standard output: cannot be written (No space left on device)"));
}

TEST(WaitingProgram, TellsTheSignalThatEndedARunAndGoesOn) {
  const ScratchFolder folder;
  const std::vector<std::string> endless{"data", "convert", "synthetic:n=500000", (folder / "set.csv").string()};
  const auto killed = run_fercli(endless, [] { return true; });
  EXPECT_EQ(killed.exit_code, 128 + SIGKILL);
  EXPECT_EQ(run_fercli({"version"}).exit_code, 0);
}

}  // namespace

}  // namespace fercli::test
