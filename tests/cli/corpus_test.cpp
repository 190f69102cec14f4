// Files that once crashed the program, got in or made it speak in a library's words (tests/corpus), through the
// program.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/escape.hpp"
#include "core/files.hpp"
#include "data/formats/writer.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
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

TEST(CorpusCommand, PicturesThatAreNotWhatTheirHeadsSayAreRefusedAtNoCost) {
  const std::map<std::string, std::string> endings{
      {"bmp_65535x1953_without_runs.bmp", "is a BMP cut short"},
      {"jpeg_11300x11300_in_228_bytes.jpg", "is a JPEG cut short"},
      {"webp_16383x7800_in_38_bytes.webp", "is a WEBP cut short"},
      {"png_15_mb_behind_the_rows.png", "is a damaged PNG"},
  };
  for (const auto& [name, words] : endings) {
    const auto run = test::run_in_process({"predict", sample_file(name)});
    EXPECT_EQ(run.exit_code, 2) << name;
    EXPECT_THAT(run.err, HasSubstr(words)) << name;
  }
}

TEST(CorpusCommand, ClassNamesStayInsideTheFolder) {
  const ScratchFolder folder;
  const auto inside = folder / "deep/er/out";
  const auto run = test::run_in_process({"data", "convert", sample_file("classes.ferpack"), inside.string()});
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
    const auto run = test::run_in_process(words);
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
    auto words = command;
    words.push_back(
        "\x1b[31mred\x07two\rlines\xc2\x9b"
        "2J");
    const auto run = test::run_in_process(words);
    EXPECT_NE(run.exit_code, 0) << command[0];
    EXPECT_FALSE(speaks_to_the_terminal(run.out + run.err)) << command[0] << ": " << testing::PrintToString(run.err);
  }
}

/// A network whose classes and a data set whose images have the names of tests/hostile_names.hpp.
class HostileNamesCommand : public testing::Test {
 protected:
  HostileNamesCommand() {
    const auto names = test::hostile_names();
    Checkpoint checkpoint;
    checkpoint.arch = "small-cnn";
    const auto classes = static_cast<int64_t>(names.size());
    checkpoint.options = {1, 48, classes, complete_settings("small-cnn", {{"width", 2}})};
    checkpoint.classes = LabelSet(names);
    checkpoint.network = make_network("small-cnn", checkpoint.options, 1);
    checkpoint.training = nlohmann::json::object();
    save_checkpoint(checkpoint, model_);
    Dataset data;
    data.name = names[0];
    data.classes = checkpoint.classes;
    data.images = torch::arange(classes * 48 * 48).remainder(251).to(torch::kUInt8).view({classes, 1, 48, 48});
    data.labels = torch::arange(classes, torch::kInt64);
    for (size_t i = 0; i < names.size(); ++i) {
      data.ids.push_back(fmt::format("{}-{}", printable(names[i]).substr(0, 60), i));
      data.splits.push_back(Split::PublicTest);
    }
    write_dataset(data, data_);
    write_png(data.images[0], folder_ / "face.png");
  }

  ProgramResult run(std::vector<std::string> words) {
    const auto result = test::run_in_process(words);
    EXPECT_FALSE(speaks_to_the_terminal(result.out)) << words[0];
    EXPECT_FALSE(speaks_to_the_terminal(result.err)) << words[0];
    return result;
  }

  ScratchFolder folder_;
  std::string model_ = (folder_ / "net.pt").string(), data_ = (folder_ / "faces.ferpack").string();
};

/// Fields that a spreadsheet would compute: they begin with = or @, or with + or - and are no number.
bool has_formula(const std::string& csv) {
  std::string field;
  bool quoted = false;
  const auto is_formula = [](const std::string& text) {
    if (text.empty() || std::string_view("=+-@").find(text[0]) == std::string_view::npos) return false;
    return text.find_first_not_of("+-.0123456789einfa") != std::string::npos;
  };
  for (const char letter : csv) {
    if (letter == '"') {
      quoted = !quoted;
    } else if (!quoted && (letter == ',' || letter == '\n')) {
      if (is_formula(field)) return true;
      field.clear();
    } else {
      field += letter;
    }
  }
  return false;
}

TEST_F(HostileNamesCommand, ResultsForPeopleDoNotSteerTheTerminal) {
  EXPECT_EQ(run({"summary", "--model", model_}).exit_code, 0);
  EXPECT_EQ(run({"predict", "--model", model_, (folder_ / "face.png").string()}).exit_code, 0);
  EXPECT_EQ(run({"data", "stats", data_}).exit_code, 0);
  EXPECT_EQ(run({"data", "audit", data_}).exit_code, 0);
  EXPECT_EQ(run({"eval", "--model", model_, "--data", data_, "--split", "all"}).exit_code, 0);
}

/// How many fields the first line has: a quote opens one only at its start, and two in it are one.
int64_t columns_of(const std::string& csv) {
  int64_t count = 1;
  bool quoted = false, at_start = true;
  for (size_t i = 0; i < csv.size(); ++i) {
    if (quoted) {
      if (csv[i] == '"' && csv[i + 1] == '"') {
        ++i;
      } else if (csv[i] == '"') {
        quoted = false;
      }
    } else if (csv[i] == '"' && at_start) {
      quoted = true;
    } else if (csv[i] == ',') {
      ++count;
      at_start = true;
      continue;
    } else if (csv[i] == '\n') {
      return count;
    }
    at_start = false;
  }
  return count;
}

TEST_F(HostileNamesCommand, CsvHasAColumnForEachClass) {
  const auto classes = static_cast<int64_t>(test::hostile_names().size());
  const auto predicted = run({"predict", "--model", model_, "--csv", (folder_ / "face.png").string()});
  EXPECT_EQ(columns_of(predicted.out), 16 + classes) << predicted.out.substr(0, 2000);
  const auto out = folder_ / "eval";
  run({"eval", "--model", model_, "--data", data_, "--split", "all", "--out", out.string()});
  EXPECT_EQ(columns_of(read_file(out / "per_image.csv")), 4 + classes);
  const auto log = folder_ / "live.csv";
  run({"live", "--model", model_, "--no-window", "--source", "synthetic:faces=1,fps=5,seconds=1", "--csv",
       log.string()});
  EXPECT_EQ(columns_of(read_file(log)), 17 + classes);
}

TEST_F(HostileNamesCommand, CsvHasNoFormulas) {
  const auto predicted = run({"predict", "--model", model_, "--csv", (folder_ / "face.png").string()});
  EXPECT_EQ(predicted.exit_code, 0) << predicted.err;
  EXPECT_FALSE(has_formula(predicted.out)) << predicted.out;
  const auto out = folder_ / "eval";
  const auto evaluated = run({"eval", "--model", model_, "--data", data_, "--split", "all", "--out", out.string()});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_FALSE(has_formula(read_file(out / "per_image.csv")));
}

TEST_F(HostileNamesCommand, ListsOfIdenticalImagesHaveNoFormulas) {
  Dataset data;
  data.name = "equal";
  data.classes = LabelSet({"=2+2", "Sad"});
  data.images = torch::zeros({2, 1, 48, 48}, torch::kUInt8);
  data.labels = torch::tensor({0, 1}, torch::kInt64);
  data.ids = {"=1+1", "@x"};
  data.splits = {Split::PublicTest, Split::PublicTest};
  write_dataset(data, data_);
  const auto out = folder_ / "pairs.csv";
  EXPECT_EQ(run({"data", "audit", data_, "--out", out.string()}).exit_code, 0);
  EXPECT_THAT(read_file(out), HasSubstr("1+1"));
  EXPECT_FALSE(has_formula(read_file(out))) << read_file(out);
}

TEST_F(HostileNamesCommand, AFileNameOfTwoLinesIsPrintedOnOne) {
  fs::copy_file(folder_ / "face.png", folder_ / "x\nAll faces are Happy.png");
  write_file(folder_ / "y\nfercli: all is well.png", "no picture");
  const auto printed = run({"predict", "--model", model_, (folder_ / "x\nAll faces are Happy.png").string(),
                            (folder_ / "y\nfercli: all is well.png").string()});
  EXPECT_EQ(("\n" + printed.out).find("\nAll faces"), std::string::npos) << printed.out;
  EXPECT_EQ(("\n" + printed.err).find("\nfercli: all is well"), std::string::npos) << printed.err;
}

TEST_F(HostileNamesCommand, JsonComesBackAsItWas) {
  const auto run_of = run({"eval", "--model", model_, "--data", data_, "--split", "all", "--json", "-q"});
  ASSERT_EQ(run_of.exit_code, 0) << run_of.err;
  EXPECT_TRUE(nlohmann::json::accept(run_of.out));
}

TEST_F(HostileNamesCommand, ReportsHaveNoMarkupOfStrangers) {
  const auto out = folder_ / "report", measured = folder_ / "measured";
  ASSERT_EQ(run({"eval", "--model", model_, "--data", data_, "--split", "all", "--out", measured.string()}).exit_code,
            0);
  const auto written = run({"report", (measured / "result.json").string(), "--out", out.string()});
  EXPECT_EQ(written.exit_code, 0) << written.err;
  int64_t pages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(out)) {
    const std::string ending = entry.path().extension().string();
    if (ending != ".html" && ending != ".md" && ending != ".svg") continue;
    const std::string text = read_file(entry.path());
    ++pages;
    const bool is_markdown = ending == ".md";
    const std::vector<std::string> marks =
        is_markdown ? std::vector<std::string>{"<script>", "<img ", "](https", "](javascript"}
                    : std::vector<std::string>{"<script>", "<img src=x", "\" onmouseover"};
    for (const auto& mark : marks) {
      for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
        EXPECT_TRUE(is_markdown && at > 0 && text[at - 1] == '\\') << entry.path() << ": " << text.substr(at, 60);
      }
    }
    EXPECT_FALSE(speaks_to_the_terminal(text)) << entry.path();
  }
  EXPECT_GE(pages, 2);
}

}  // namespace

}  // namespace fercli
