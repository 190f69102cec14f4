// Plug-ins outside the tree, by the example in experiments/plugin and one of all other kinds, and what is refused in
// their place.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "core/container.hpp"
#include "core/digest.hpp"
#include "core/files.hpp"
#include "core/plug_in.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/report/without_gnuplot.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kExample = FERCLI_EXAMPLE_PLUG_IN;

class PlugIns : public testing::Test {
 protected:
  /// A copy of the example; where `at` stands first, `written` is written over it.
  std::string copy(const std::string& name, const std::string& at = "", const std::string& written = "") const {
    std::string bytes = read_file(kExample);
    const size_t place = bytes.find(at);
    EXPECT_NE(place, std::string::npos) << at;
    return store(name, bytes.replace(place, written.size(), written));
  }

  std::string store(const std::string& name, const std::string& bytes) const {
    write_file(folder_ / name, bytes);
    return (folder_ / name).string();
  }

  std::string out() const { return (folder_ / "run").string(); }

  /// An attack of the example on one shipped face.
  static std::vector<std::string> attack_with_example(const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "--plugin", kExample,    "attack", "happy-to-sad", "--attack", "random-points:draws=1", "--limit",
        "1",        "--threads", "1",      "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// What loading it is refused with, in this process: none of its code runs.
  static std::string refusal(const std::string& file) {
    return message_of([&] { load_plug_ins({"--plugin", file}); });
  }

  ScratchFolder folder_;
};

TEST_F(PlugIns, BringAnAttackToEveryProcessOfATeamAndTheResultNamesItsParameterAndThem) {
  const auto result = run_fercli(attack_with_example({"--out", out(), "--processes", "2"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto document = nlohmann::json::parse(read_file(folder_ / "run/result.json"));
  EXPECT_EQ(document.at("attacks").at(0).at("draws"), 1);
  EXPECT_EQ(document.at("environment").at("plug_ins"),
            nlohmann::json::parse(R"([{"file": "random_points.so", "sha256": ")" + file_sha256_hex(kExample) + "\"}]"));
}

/// `fercli WORDS…` with all_kinds.cpp.
ProgramResult with_all_kinds(std::vector<std::string> words) {
  words.insert(words.begin(), {"--plugin", FERCLI_ALL_KINDS_PLUG_IN});
  return run_fercli(words);
}

TEST_F(PlugIns, BringACommand) {
  const auto result = with_all_kinds({"greet"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "hello\n");
}

TEST_F(PlugIns, BringALossAnArchitectureAReaderAWriterAndASection) {
  const WithoutGnuplot texts_only;
  const auto best = (folder_ / "run/best.pt").string(), name = (folder_ / "name").string();
  const auto trained =
      with_all_kinds({"train", "--data", "greys:21", "--arch", "mean-grey", "--loss", "squared-error", "--epochs", "1",
                      "--batch-size", "4", "--size", "8", "--threads", "1", "--precision", "fp32", "--out", out()});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(load_container(best, "checkpoint").header.at("training").at("options").at("loss"), "squared-error");

  const auto exported = with_all_kinds({"export", "--model", best, "--format", "name", "--out", name});
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_EQ(read_file(name), "mean-grey\n");

  const auto report = with_all_kinds({"report", "--model", best, "--data", "greys:21", "--parts", "clean", "--threads",
                                      "1", "--lang", "fr", "--out", (folder_ / "report").string()});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(read_file(folder_ / "report/report.md"), HasSubstr("Une section venue d’ailleurs."));
}

TEST_F(PlugIns, MayBeNamedInAnIniFile) {
  const auto config = store("run.ini", "# mine\nplugin = " + kExample + "\n");
  const auto result = run_fercli({"attacks", "random-points", "--config", config});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("points for each start"));
}

TEST_F(PlugIns, MayBeNamedBehindTheCommandAndTwice) {
  const auto result = run_fercli({"attacks", "--plugin=" + kExample, "random-points", "--plugin", kExample});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("points for each start"));
}

TEST_F(PlugIns, AreNotLoadedBecauseAFolderOfShardsNamesThem) {
  const auto shard = run_fercli(attack_with_example({"--out", out(), "--shard", "1/1"}));
  ASSERT_EQ(shard.exit_code, 0) << shard.err;
  const auto without = run_fercli({"merge", out()});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_EQ(without.err,
            "fercli merge: " + out() + ": the plug-in random_points.so is needed: add --plugin with its file\n");
  const auto with = run_fercli({"merge", out(), "--plugin", kExample});
  EXPECT_EQ(with.exit_code, 0) << with.err;
}

TEST_F(PlugIns, ANameThatIsTakenIsSaidInOneSentence) {
  const auto twin = copy("twin.so");
  const auto result = run_fercli({"--plugin", kExample, "--plugin", twin, "version"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "fercli: --plugin " + twin + ": cannot register itself: two entries are called attack 'random-points'\n");
}

TEST_F(PlugIns, WhatTheProgramLacksIsSaidInOneSentence) {
  const auto file = copy("mine.so", "Search5offer", "Search5offex");
  const auto result = run_fercli({"--plugin", file, "version"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("fercli: --plugin " + file + ": uses fercli::Search::offex("));
  EXPECT_THAT(result.err, HasSubstr("which neither fercli nor the libraries of the plug-in have"));
}

TEST_F(PlugIns, ALibraryThatIsMissingIsSaidInOneSentence) {
  const auto file = copy("mine.so", "libc10.so", "libc11.so");
  const auto result = run_fercli({"--plugin", file, "version"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("fercli: --plugin " + file + ": needs libc11.so"));
  EXPECT_THAT(result.err, HasSubstr(", which is not found on this machine\n"));
}

TEST_F(PlugIns, TheOptionNeedsAFile) {
  EXPECT_THAT(message_of([] { command_first({"--plugin"}); }), HasSubstr("--plugin: lacks its value"));
  EXPECT_EQ(run_fercli({"version", "--plugin"}).exit_code, 2);
}

TEST_F(PlugIns, WhatIsNoRegularFileIsRefused) {
  EXPECT_THAT(refusal((folder_ / "none.so").string()),
              HasSubstr("--plugin " + (folder_ / "none.so").string() + ": no such file"));
  EXPECT_THAT(refusal(folder_.path().string()), HasSubstr("is a folder, not a file"));
  const auto pipe = (folder_ / "pipe.so").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal(pipe), HasSubstr("is a pipe, not a file"));
}

TEST_F(PlugIns, WhatIsNoPlugInIsRefused) {
  EXPECT_THAT(refusal(store("empty.so", "")), HasSubstr("is not a plug-in: it is no shared object"));
  EXPECT_THAT(refusal(store("text.so", std::string(1000, 'x'))), HasSubstr("is not a plug-in: it is no shared object"));
  EXPECT_THAT(refusal(copy("library.so", "fercli plug-in\n", "fercli plug-on\n")),
              HasSubstr("is not a plug-in of fercli"));
  EXPECT_THAT(refusal(FERCLI_PROGRAM), HasSubstr("is a program, not a plug-in"));
}

TEST_F(PlugIns, AFileThatIsCutShortIsRefusedAtAnyLength) {
  const std::string bytes = read_file(kExample);
  for (const size_t length : {size_t{64}, size_t{1000}, bytes.size() / 2, bytes.size() - 1})
    EXPECT_THAT(refusal(store("short.so", bytes.substr(0, length))), HasSubstr("is cut short")) << length;
  EXPECT_THAT(refusal(store("short.so", bytes.substr(0, 63))), HasSubstr("it is no shared object"));
}

TEST_F(PlugIns, AnotherVersionLibTorchStandardLibraryOrOtherHeadersAreRefused) {
  EXPECT_THAT(refusal(copy("a.so", "plug-in\nversion ", "plug-in\nversion 7")),
              HasSubstr("is built for fercli 7.1.0, and this is 0.1.0"));
  EXPECT_THAT(refusal(copy("b.so", "\nLibTorch ", "\nLibTorch 9")), HasSubstr("is built with LibTorch 9"));
  EXPECT_THAT(refusal(copy("c.so", "(strings 1)", "(strings 0)")),
              HasSubstr("is built with C++ library libstdc++ (strings 0), and fercli with libstdc++ (strings 1)"));
  EXPECT_THAT(refusal(copy("d.so", "\nheaders ", "\nheaders Z")), HasSubstr("is built with other headers (Z"));
}

TEST_F(PlugIns, AnotherProcessorIsRefused) {
  std::string bytes = read_file(kExample);
  bytes.at(offsetof(Elf64_Ehdr, e_machine)) = static_cast<char>(EM_RISCV);
  EXPECT_THAT(refusal(store("riscv.so", bytes)), HasSubstr("is for another kind of processor"));
}

}  // namespace

}  // namespace fercli::test
