// The commands that people type without having read anything, and what comes of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <regex>
#include <sstream>

#include "core/command.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "data/drawn/face.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

/// Files that people give in place of pictures, models and data.
class ObviousCommands : public testing::Test {
 protected:
  ObviousCommands() {
    write_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0], folder_ / "happy.png");
    const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    for (const char* name : {"lfs.png", "lfs.pt", "lfs.onnx", "lfs.h5", "lfs.csv"}) write_file(path(name), pointer);
    write_file(path("report.pdf.jpg"), "%PDF-1.4\n%aaaaaaaaaaaaaaaaaaaaaa");
    write_file(path("me.heic"), std::string("\0\0\0\x18", 4) + "ftypheic" + std::string(4, '\0') + "mif1heic");
    write_file(path("me.gif"), std::string("GIF89a\1\0\1\0\x80\0\0", 13));
    write_file(path("net.tflite"), std::string("\x1c\0\0\0", 4) + "TFL3" + std::string(32, '\0'));
    write_file(path("model.json"),
               R"({"format":"layers-model","convertedBy":"TensorFlow.js Converter v3","modelTopology":{}})");
    mkfifo(path("pipe.png").c_str(), 0600);
    make_folder(folder_ / "people/anna");
    make_folder(folder_ / "faces/happy/more");
    for (const char* name : {"faces/happy/a.png", "faces/b.png"})
      std::filesystem::copy_file(path("happy.png"), path(name));
  }

  void write_sad_portrait() const {
    FaceParameters sad = random_face("Sad", Rng(3));
    sad.framing = Framing::Portrait;
    write_png(draw_face(sad, 240, 3), folder_ / "sad.png");
  }

  /// FER2013's CSV with the numbers of an alphabetical order.
  void write_misnumbered() const {
    const Dataset drawn = read_dataset("synthetic:n=28,seed=5");
    const LabelSet& alphabetical = LabelSet::alphabetical();
    std::string csv = "emotion,pixels,Usage\n";
    for (int64_t i = 0; i < drawn.size(); ++i) {
      const auto pixels = drawn.images[i].flatten();
      const std::string name = drawn.classes.name(drawn.labels[i].item<int64_t>());
      csv += fmt::format("{},{},PublicTest\n", *alphabetical.find(name),
                         fmt::join(pixels.data_ptr<uint8_t>(), pixels.data_ptr<uint8_t>() + pixels.numel(), " "));
    }
    write_file(path("alphabetical.csv"), csv);
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Words that name no command are for `main`.
  static ProgramResult fercli(const std::vector<std::string>& words) {
    return Registry<Command>::instance().find(words[0]) != nullptr ? run_in_process(words) : run_fercli(words);
  }

  const ScratchFolder folder_;
};

/// Numbers that another processor or version may change become #, and the blanks that align them one.
std::string without_figures(std::string text) {
  text = std::regex_replace(text, std::regex("[0-9]+([.,][0-9]+)*(/255)?"), "#");
  return std::regex_replace(text, std::regex(" +"), " ");
}

/// What one command printed, as the golden file has it: stdout, stderr and the exit code. Long texts are cut.
std::string shown(const ProgramResult& result, const std::string& folder) {
  std::string text = result.out + result.err;
  for (size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) text.erase(at, folder.size());
  text = std::regex_replace(text, std::regex("digest [0-9a-f]+"), "digest …");
  if (result.exit_code != 2) text = without_figures(text);
  // The tests register some names of their own.
  text = std::regex_replace(text, std::regex("\\(known: [^)]*\\)"), "(known: …)");
  text = std::regex_replace(text, std::regex("\\([0-9a-f#]+(\\+changes)?\\)\n[\\s\\S]*"), "(REVISION) …\n");
  constexpr size_t kLines = 16;
  std::string cut;
  std::istringstream lines(text);
  size_t count = 0;
  for (std::string line; count < kLines && std::getline(lines, line); ++count) cut += line + "\n";
  if (count == kLines) cut += "…\n";
  return fmt::format("{}[{}]\n", cut, result.exit_code);
}

/// tests/golden/obvious-commands.out is the table of the commands that people try, with what each prints. To renew it:
/// FERCLI_RENEW=FILE fercli_tests --gtest_filter=ObviousCommands.PrintWhatTheTableSays
TEST_F(ObviousCommands, PrintWhatTheTableSays) {
  const std::string golden = read_file(std::filesystem::path(FERCLI_TEST_FOLDER) / "golden" / "obvious-commands.out");
  write_sad_portrait();
  write_misnumbered();
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  std::string said;
  std::istringstream lines(golden);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("== ", 0) == 0) said += (said.empty() ? "" : "\n") + line + "\n";
    if (line.rfind("$ fercli ", 0) != 0) continue;
    said += "\n" + line + "\n";
    said += shown(fercli(split(line.substr(9), ' ')), (folder_.path() / "").string());
  }
  std::filesystem::current_path(before);
  if (const char* renewed = std::getenv("FERCLI_RENEW")) write_file(renewed, said);
  EXPECT_EQ(said, golden);
}

TEST_F(ObviousCommands, TablesAreReadyForAPaper) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"attacks"}, {"attacks", "pgd"}, {"summary", "--arch", "small-cnn"}, {"predict", path("happy.png")}}) {
    auto latex = words, csv = words;
    latex.insert(latex.end(), {"--format", "latex"});
    csv.insert(csv.end(), {"--format", "csv"});
    EXPECT_THAT(fercli(latex).out, HasSubstr("\\toprule")) << words[0];
    EXPECT_THAT(fercli(csv).out, testing::StartsWith(words[0] == "predict" ? "file,frame" : "table,row,column,"));
  }
}

}  // namespace

}  // namespace fercli::test
