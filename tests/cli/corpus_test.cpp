// Files that once crashed the program, got in or made it speak in a library's words (tests/corpus), through the
// program.
#include <algorithm>

#include "core/files.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/hostile_names.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;
using test::ProgramResult;
using test::run_fercli;
using test::ScratchFolder;
using testing::HasSubstr;

std::string sample_file(const std::string& name) {
  return (fs::path(FERCLI_TEST_FOLDER) / "corpus" / name).string();
}

/// Refused in one sentence of the program's own.
void expect_own_sentence(const ProgramResult& run) {
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_EQ(run.err.compare(0, 6, "fercli"), 0) << run.err;
  for (const char* word : {"map::", "exception", "INTERNAL ASSERT", "PyTorch developers", ".cpp", ".h:", "OpenCV(",
                           "basic_string", "std::", "terminate"}) {
    EXPECT_EQ(run.err.find(word), std::string::npos) << run.err;
  }
}

bool speaks_to_the_terminal(const std::string& text) {
  return text.find_first_of("\x1b\x07\r\x7f") != std::string::npos || text.find("\xc2\x9b") != std::string::npos;
}

TEST(CorpusCommand, TorchScriptThatReadsFilesIsRefusedByName) {
  const auto run = run_fercli({"summary", "--model", sample_file("ts_from_file.pt")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("aten::from_file"));
  EXPECT_THAT(run.err, HasSubstr("prim::Print"));
  EXPECT_THAT(run.err, HasSubstr("--trust-code"));
  expect_own_sentence(run);
}

TEST(CorpusCommand, TorchScriptInACheckpointIsHeldToTheSameRule) {
  const auto run = run_fercli({"summary", "--model", sample_file("checkpoint_embeds_torchscript.pt")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--trust-code"));
  expect_own_sentence(run);
}

TEST(CorpusCommand, APickleOfEndlessDictionariesIsRefused) {
  const auto run = run_fercli({"summary", "--model", sample_file("quad_200000.pt")});
  EXPECT_EQ(run.exit_code, 2);
  expect_own_sentence(run);
}

TEST(CorpusCommand, AResultWithoutItsPartsIsRefusedInOneSentence) {
  const auto file = sample_file("cmp_leak_map__at.json");
  const auto run = run_fercli({"compare", file, file});
  EXPECT_EQ(run.exit_code, 2);
  expect_own_sentence(run);
}

TEST(CorpusCommand, ADamagedPictureIsRefusedWithoutOpenCvsWords) {
  const auto run = run_fercli({"predict", sample_file("img_bmp_leak_OpenCV_.bmp")});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_EQ(run.err.find("OpenCV("), std::string::npos) << run.err;
  EXPECT_EQ(run.err.find(".cpp"), std::string::npos) << run.err;
}

TEST(CorpusCommand, ClassNamesStayInsideTheFolder) {
  const ScratchFolder folder;
  const auto inside = folder / "deep/er/out";
  const auto run = run_fercli({"data", "convert", sample_file("classes.ferpack"), inside.string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  int64_t outside = 0, pictures = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    const bool below = entry.path().string().compare(0, inside.string().size(), inside.string()) == 0;
    ++(below ? pictures : outside);
    EXPECT_FALSE(speaks_to_the_terminal(entry.path().string())) << entry.path();
  }
  EXPECT_EQ(outside, 0);
  EXPECT_EQ(pictures, 14);
  EXPECT_FALSE(fs::exists("/tmp/sec/esc_class"));
}

TEST(CorpusCommand, ClassNamesDoNotSteerTheTerminal) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"data", "stats"}, {"data", "audit"}, {"data", "stats", "--json"}}) {
    auto words = command;
    words.insert(words.begin() + 2, sample_file("classes.ferpack"));
    const auto run = run_fercli(words);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_FALSE(speaks_to_the_terminal(run.out)) << words[1];
    EXPECT_FALSE(speaks_to_the_terminal(run.err)) << words[1];
  }
}

TEST(CorpusCommand, HostileNamesInArgumentsDoNotSteerTheTerminal) {
  const std::vector<std::vector<std::string>> commands = {{"summary", "--model"},
                                                          {"predict", "--model"},
                                                          {"data", "stats"},
                                                          {"data", "audit"},
                                                          {"compare"},
                                                          {"eval", "--model"},
                                                          {"attack", "happy-to-sad", "--model"},
                                                          {"import"},
                                                          {"export", "--model"},
                                                          {"eval", "--labels"},
                                                          {"live", "--no-window", "--source"},
                                                          {"verify", "--model"},
                                                          {"calibrate", "--model"},
                                                          {"report"},
                                                          {"serve", "--model"},
                                                          {"train", "--data"},
                                                          {"frame", "--image"},
                                                          {"universal"},
                                                          {"patch"},
                                                          {"attacks"}};
  for (const auto& command : commands) {
    for (const std::string name : {"\x1b[31mred", "bell\x07", "two\rlines",
                                   "\xc2\x9b"
                                   "2J"}) {
      auto words = command;
      words.push_back(name);
      const auto run = run_fercli(words);
      EXPECT_NE(run.exit_code, 0) << command[0];
      EXPECT_FALSE(speaks_to_the_terminal(run.out + run.err)) << command[0] << ": " << testing::PrintToString(run.err);
    }
  }
}

}  // namespace

}  // namespace fercli
