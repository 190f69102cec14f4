// The commands that people type without having read anything, and what comes of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

struct Obvious {
  std::vector<std::string> words;
  int exit_code;
  std::string said;  ///< on stdout or stderr
};

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
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  static ProgramResult fercli(const std::vector<std::string>& words) { return run_in_process(words); }

  static void expect(const Obvious& each) {
    std::string words;
    for (const auto& word : each.words) words += " " + word;
    const auto result = fercli(each.words);
    EXPECT_EQ(result.exit_code, each.exit_code) << words << "\n" << result.err;
    EXPECT_THAT(result.out + result.err, HasSubstr(each.said)) << words;
  }

  const ScratchFolder folder_;
};

TEST_F(ObviousCommands, ANearNameIsSuggestedByTheSynonymsOfTheField) {
  const auto attack = [](const std::string& name) {
    return std::vector<std::string>{"attack", "happy-to-sad", "--attack", name};
  };
  for (const auto& each : std::vector<Obvious>{
           {attack("mim"), 2, "unknown attack 'mim'; did you mean mi-fgsm?"},
           {attack("MIFGSM"), 2, "did you mean mi-fgsm?"},
           {attack("i-fgsm"), 2, "did you mean bim?"},
           {attack("c&w"), 2, "did you mean cw?"},
           {attack("auto-attack"), 2, "did you mean autoattack?"},
           {attack("apgd"), 2, "did you mean apgd-ce?"},
           {attack("hsja"), 2, "did you mean hopskipjump?"},
           {attack("pgdd"), 2, "did you mean pgd?"},
           {attack("zebra"), 2, "unknown attack 'zebra' (known:"},
           {attack("mim:steps=5"), 2, "unknown attack 'mim'; did you mean mi-fgsm?"},
           {attack("pgdd:steps=5"), 2, "unknown attack 'pgdd'; did you mean pgd?"},
           {{"attacks", "mim"}, 2, "did you mean mi-fgsm?"},
           {{"eval", "--attacks", "pgd,mim"}, 2, "did you mean mi-fgsm?"},
           {{"eval", "--attacks", "pgd:steps=2,mim:steps=3,alpha=1/255"}, 2, "did you mean mi-fgsm?"},
           {{"attack", "happy-to-sad", "--norm", "L_inf"}, 2, "did you mean linf?"},
           {{"attack", "happy-to-sad", "--norm", "linfty"}, 2, "did you mean linf?"},
       }) {
    expect(each);
  }
}

TEST_F(ObviousCommands, AFileOfAnotherKindIsNamedForWhatItIsWithTheWayOut) {
  const auto image = [&](const std::string& name) {
    return std::vector<std::string>{"attack", "happy-to-sad", "--image", path(name)};
  };
  const auto model = [&](const std::string& name) {
    return std::vector<std::string>{"summary", "--model", path(name)};
  };
  for (const auto& each : std::vector<Obvious>{
           {image("lfs.png"), 2, "is a Git LFS pointer, not the file itself; fetch that with `git lfs pull`"},
           {model("lfs.pt"), 2, "is a Git LFS pointer"},
           {model("lfs.onnx"), 2, "is a Git LFS pointer"},
           {model("lfs.h5"), 2, "is a Git LFS pointer"},
           {model("net.tflite"), 2, "is a TensorFlow Lite file, which is not read; convert it: python -m tf2onnx"},
           {model("model.json"), 2, "is a TensorFlow.js model, which is not read; convert it: tensorflowjs_converter"},
           {{"data", "stats", path("lfs.csv")}, 2, "is a Git LFS pointer"},
           {image("report.pdf.jpg"), 2, "is PDF, which is not read; save it as PNG or JPEG"},
           {image("me.heic"), 2, "is HEIF, which is not read; save it as PNG or JPEG"},
           {image("me.gif"), 2, "is GIF, which is not read; save it as PNG or JPEG"},
           {image("pipe.png"), 2, "is a pipe, not a file"},
           {{"predict", path("happy.png"), "--detector", "nosuch.onnx"},
            2,
            "--detector nosuch.onnx: there is no such file"},
           {{"predict", path("happy.png"), "--detector", "yunet"}, 2, "--detector yunet: must be haar"},
           {{"predict", path("people")},
            2,
            "there are no images in this folder; folders in it are read with --recursive"},
       }) {
    expect(each);
  }
}

TEST_F(ObviousCommands, AValueInAnotherUnitIsSuggestedInTheRightOne) {
  for (const auto& each : std::vector<Obvious>{
           {{"attack", "happy-to-sad", "--min-confidence", "90"}, 2, "did you mean 0.9?"},
           {{"attack", "happy-to-sad", "--confidence", "50"}, 2, "did you mean 0.5?"},
           {{"attack", "happy-to-sad", "--eps", "8"}, 2, "did you mean 8/255?"},
           {{"attack", "happy", "sad"}, 2, "'happy sad' is no goal; one is SOURCE-to-TARGET, such as happy-to-sad"},
           {{"attack", "happy", "and", "sad"}, 2, "'happy and sad' is no goal"},
       }) {
    expect(each);
  }
}

TEST_F(ObviousCommands, AGoalOfThreeWordsIsTheGoalWithHyphens) {
  for (const auto& goal :
       std::vector<std::vector<std::string>>{{"happy-to-sad"}, {"happy", "to", "sad"}, {"Joie", "vers", "tristesse"}}) {
    std::vector<std::string> words{"attack", "--image", path("happy.png"), "--min-confidence", "0", "--json"};
    words.insert(words.begin() + 1, goal.begin(), goal.end());
    const auto result = fercli(words);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["threat_model"]["goal"], "happy-to-sad");
  }
}

TEST_F(ObviousCommands, NamesAreReadInAnyCase) {
  const auto result = fercli({"attack", "HAPPY-to-Sad", "--image", path("happy.png"), "--attack", "PGD", "--norm", "L2",
                              "--min-confidence", "0", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto document = nlohmann::json::parse(result.out);
  EXPECT_EQ(document["attacks"][0]["name"], "pgd");
  EXPECT_EQ(document["threat_model"]["norm"], "L2");
}

TEST_F(ObviousCommands, AnAttackThatDoesNotWorkInLinfTakesTheNormThatItHas) {
  const auto result = fercli({"attack", "happy-to-sad", "--image", path("happy.png"), "--attack", "ddn:steps=5",
                              "--min-confidence", "0", "--json"});
  EXPECT_THAT(result.err, HasSubstr("ddn does not work in Linf: --norm l2 is taken"));
  EXPECT_EQ(nlohmann::json::parse(result.out)["threat_model"]["norm"], "L2");
  expect({{"attack", "happy-to-sad", "--attack", "ddn", "--norm", "linf"}, 2, "attack 'ddn' does not work in Linf"});
}

TEST_F(ObviousCommands, SkipBadLeavesUnreadablePicturesOut) {
  const auto result = fercli({"attack", "happy-to-sad", "--skip-bad", "--image", path("lfs.png"), path("happy.png"),
                              "--min-confidence", "0", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("left out"));
  EXPECT_EQ(nlohmann::json::parse(result.out)["per_image"].size(), 1u);
  expect({{"attack", "happy-to-sad", "--skip-bad", "--image", path("lfs.png")}, 2, "none of 1 files can be read"});
}

TEST_F(ObviousCommands, PredictReadsFoldersInAFolderWhenAsked) {
  make_folder(folder_ / "album" / "anna");
  for (const char* name : {"album/a.png", "album/anna/b.png"})
    std::filesystem::copy_file(path("happy.png"), path(name));
  const auto one = fercli({"predict", path("album")}), all = fercli({"predict", path("album"), "--recursive", "-q"});
  EXPECT_THAT(one.err, HasSubstr("folders in it are not read; --recursive reads them"));
  EXPECT_THAT(all.out, testing::MatchesRegex("[^\n]+a.png: [A-Z][^\n]+ %\n[^\n]+anna/b.png: [A-Z][^\n]+ %\n"));
}

TEST_F(ObviousCommands, QuietPrintsTheResultLineAlone) {
  const std::string image = path("happy.png");
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"attack", "happy-to-sad", "--image", image, "--min-confidence", "0", "-q", "--out", path("one")},
           {"predict", image, "-q"}}) {
    const auto result = fercli(words);
    EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1) << result.out;
  }
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
