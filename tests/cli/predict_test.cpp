#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "faces/face_reader.hpp"
#include "live/video/recorder.hpp"
#include "live/video/video_source.hpp"
#include "models/checkpoint.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A drawn portrait, two people in front of a camera, and a face crop.
class PredictCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    ReadOptions large;
    large.size = 240;
    large.channels = 3;
    const auto portrait = read_dataset("synthetic:n=1,seed=5,classes=happy,framing=portrait,size=240", large);
    write_png(portrait.images[0], *scratch_ / "portrait.png");
    const auto crop = read_dataset("synthetic:n=1,seed=5,classes=surprise");
    write_png(crop.images[0], *scratch_ / "crop.png");
    Frame frame;
    const auto video = open_video("synthetic:faces=2");
    video->read(frame);
    write_png(image_of_bgr(frame.bgr), *scratch_ / "people.png");
    write_png(torch::full({3, 200, 200}, 90, torch::kUInt8), *scratch_ / "wall.png");
  }
  static void TearDownTestSuite() { delete scratch_; }

  static std::string file(const std::string& name) { return (*scratch_ / name).string(); }

  static ProgramResult predict(std::vector<std::string> words) {
    words.insert(words.begin(), "predict");
    words.insert(words.end(), {"--threads", "1", "--precision", "fp32"});
    return run_in_process(words);
  }

  static ScratchFolder* scratch_;
  ScratchFolder out_;
};

ScratchFolder* PredictCommand::scratch_ = nullptr;

TEST_F(PredictCommand, TtaAveragesOverTheMirrorImage) {
  const auto picture = read_image(file("crop.png"), 1);
  write_png(picture.flip({2}), out_ / "mirrored.png");
  const auto probabilities = [&](const std::string& tta) {
    const auto found =
        json::parse(predict({file("crop.png"), (out_ / "mirrored.png").string(), "--tta", tta, "--json"}).out);
    const auto of = [&](size_t i) {
      std::vector<double> values;
      for (const auto& [name, value] : found[i]["faces"][0]["probabilities"].items()) values.push_back(value);
      return torch::tensor(values);
    };
    return std::pair{of(0), of(1)};
  };
  const auto plain = probabilities("none"), flipped = probabilities("flip");
  EXPECT_FALSE(plain.first.allclose(plain.second, 0, 1e-4));
  EXPECT_TRUE(flipped.first.allclose(flipped.second, 0, 1e-5));
}

TEST_F(PredictCommand, FindsEveryFaceWithItsSevenProbabilities) {
  const auto result = predict({file("portrait.png"), file("people.png"), file("wall.png"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json pictures = json::parse(result.out);
  ASSERT_EQ(pictures.size(), 3u);
  ASSERT_EQ(pictures[0]["faces"].size(), 1u);
  const json face = pictures[0]["faces"][0];
  EXPECT_EQ(face["emotion"], "Happy");
  EXPECT_EQ(face["probabilities"].size(), 7u);
  double sum = 0;
  for (const auto& [name, value] : face["probabilities"].items()) sum += value.get<double>();
  EXPECT_NEAR(sum, 1, 1e-6);
  EXPECT_NEAR(face["box"]["x"].get<double>() + face["box"]["w"].get<double>() / 2, 120, 20);
  EXPECT_EQ(pictures[1]["faces"].size(), 2u);
  EXPECT_EQ(pictures[2]["faces"].size(), 0u);
}

TEST_F(PredictCommand, ASmallPictureIsAFaceAndJudgedAsInEvaluation) {
  const auto result = predict({file("crop.png"), "--json"});
  const json face = json::parse(result.out)[0]["faces"][0];
  const Classifier classifier = make_classifier(load_checkpoint(resolve_model("standard")), {1, "fp32"});
  const auto expected = read_crops(classifier, read_image(file("crop.png"), 1).unsqueeze(0))[0];
  for (size_t k = 0; k < expected.size(); ++k) {
    EXPECT_DOUBLE_EQ(face["probabilities"][classifier.classes().names()[k]].get<double>(), expected[k]);
  }
  EXPECT_EQ(face["box"]["w"], 48);
}

TEST_F(PredictCommand, DetectionCanBeForcedOrForbidden) {
  const auto always = json::parse(predict({file("crop.png"), "--detect", "always", "--json"}).out);
  EXPECT_LE(always[0]["faces"].size(), 1u);
  const auto never = json::parse(predict({file("people.png"), "--detect", "never", "--json"}).out);
  ASSERT_EQ(never[0]["faces"].size(), 1u);
  EXPECT_EQ(never[0]["faces"][0]["box"], (json{{"x", 80}, {"y", 0}, {"w", 480}, {"h", 480}}));
}

TEST_F(PredictCommand, UnreadableFilesAreListedAndTheRestGoesOn) {
  write_file(out_ / "broken.png", "this is no image");
  const auto result = predict({file("crop.png"), (out_ / "broken.png").string(), "nowhere.jpg", "--csv"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, testing::HasSubstr("crop.png,,,1,0,0,48,48,Surprise,"));
  EXPECT_THAT(result.err, testing::HasSubstr("broken.png: is not a readable image"));
  EXPECT_THAT(result.err, testing::HasSubstr("nowhere.jpg"));
  EXPECT_THAT(result.err, testing::HasSubstr("2 of 3 files could not be read"));
}

TEST_F(PredictCommand, TheSizeOfABatchChangesNoNumber) {
  const std::vector<std::string> files{file("people.png"), file("crop.png"), file("portrait.png"), "--csv"};
  auto single = files;
  single.insert(single.end(), {"--batch-size", "1"});
  EXPECT_EQ(predict(files).out, predict(single).out);
}

TEST_F(PredictCommand, AnnotatedPicturesAreWrittenInTheSizeOfTheOriginals) {
  const auto result = predict({file("people.png"), "--annotate", out_.path().string(), "--lang", "fr"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto before = read_image(file("people.png"), 3), after = read_image(out_ / "people.png", 3);
  EXPECT_EQ(after.sizes(), before.sizes());
  EXPECT_FALSE(torch::equal(after, before));
  EXPECT_THAT(result.out, testing::HasSubstr("En colère"));
}

TEST_F(PredictCommand, APictureWhoseNameIsTooLongForItsAnnotationCostsNoOther) {
  const std::string longest = std::string(251, 'n') + ".png";
  for (const char* folder : {"one", "two"}) {
    fs::create_directories(out_ / folder);
    fs::copy_file(file("crop.png"), out_ / folder / longest);
  }
  const auto result = predict({(out_ / "one" / longest).string(), (out_ / "two" / longest).string(), file("crop.png"),
                               "--annotate", (out_ / "drawn").string()});
  EXPECT_EQ(result.exit_code, 1) << result.err;  // the second would be called n…n-2.png
  EXPECT_THAT(result.err, testing::HasSubstr("n-2.png: cannot be written (File name too long)"));
  EXPECT_THAT(result.err, testing::HasSubstr("1 of 3 files could not be annotated"));
  EXPECT_TRUE(fs::exists(out_ / "drawn" / longest));
  EXPECT_TRUE(fs::exists(out_ / "drawn" / "crop.png"));
}

TEST_F(PredictCommand, WhatIsAnnotatedBeforeAnInterruptIsKept) {
  const fs::path drawn = out_ / "drawn";
  for (const std::string processes : {"1", "2"}) {
    std::vector<std::string> words{"predict", "-m",           "standard", "--threads",  "1",           "--processes",
                                   processes, "--batch-size", "2",        "--annotate", drawn.string()};
    words.resize(words.size() + 300, file("people.png"));
    const auto any = [&] {
      std::error_code error;
      for (const auto& entry : fs::recursive_directory_iterator(drawn, error)) {
        if (entry.path().parent_path() != drawn && entry.path().filename() == "people.png") return true;
      }
      return false;
    };
    constexpr int kTerminate = 15;
    const auto result = run_fercli(words, any, kTerminate);
    EXPECT_EQ(result.exit_code, 130) << result.err;
    EXPECT_THAT(result.err, testing::HasSubstr(" of 300 annotated files are in " + drawn.string() + "\n"));
    EXPECT_EQ(read_image(drawn / "people.png", 3).sizes(), read_image(file("people.png"), 3).sizes());
    EXPECT_FALSE(fs::exists(drawn / "people-300.png"));
    fs::remove_all(drawn);
  }
}

TEST_F(PredictCommand, AVideoIsReadFrameByFrame) {
  const auto video = open_video("synthetic:faces=1,size=320x240,fps=10,seconds=0.5");
  {
    VideoRecorder recorder(out_ / "clip.avi", 320, 240, 10);
    for (Frame frame; video->read(frame);) recorder.add(frame.bgr, frame.time);
  }
  const auto result = predict({(out_ / "clip.avi").string(), "--json", "--annotate", (out_ / "drawn").string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json frames = json::parse(result.out);
  ASSERT_EQ(frames.size(), 5u);
  EXPECT_EQ(frames[4]["frame"], 4);
  EXPECT_DOUBLE_EQ(frames[4]["time"].get<double>(), 0.4);
  EXPECT_EQ(frames[4]["faces"].size(), 1u);
  EXPECT_TRUE(fs::exists(out_ / "drawn" / "clip.mp4"));
}

TEST_F(PredictCommand, FileNamesNeedNotBeUtf8) {
  const auto odd = out_ / "caf\xe9.png";
  fs::copy_file(file("crop.png"), odd);
  const auto result = predict({odd.string(), "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(json::parse(result.out)[0]["file"].get<std::string>(), testing::HasSubstr("caf\ufffd.png"));
}

TEST_F(PredictCommand, WrongUseIsExplained) {
  EXPECT_EQ(predict({file("crop.png"), "--json", "--csv"}).exit_code, 2);
  const auto empty = predict({out_.path().string()});
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_THAT(empty.err, testing::HasSubstr("there are no images in this folder"));
  const std::string before = read_file(file("crop.png"));
  const auto inside = predict({file("crop.png"), "--annotate", scratch_->path().string() + "/."});
  EXPECT_EQ(inside.exit_code, 2);
  EXPECT_THAT(inside.err, testing::HasSubstr(": is the folder of the input"));
  EXPECT_EQ(read_file(file("crop.png")), before);
}

}  // namespace

}  // namespace fercli::test
