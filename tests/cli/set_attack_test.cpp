// fercli universal, patch and frame.
#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "data/drawn/face.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kFaces = 30;
constexpr double kHeadScale = 400;  ///< makes an untrained network sure of itself, and easy to turn

/// An untrained network in a file, and drawn faces in folders named after what that network calls them.
class SetAttackCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = new ScratchFolder;
    save_tiny_network(model(), 3, kHeadScale);
    const Classifier classifier = make_classifier(load_checkpoint(model()), {0, "fp32"});
    const Dataset faces = read_dataset(fmt::format("synthetic:n={},seed=4", kFaces));
    const auto verdict = classifier.logits(to_float(faces.images)).argmax(1);
    for (int64_t i = 0; i < kFaces; ++i) {
      const std::string name = classifier.classes().name(verdict[i].item<int64_t>());
      write_png(faces.images[i], *scratch_ / "faces" / name / fmt::format("face{}.png", i));
    }
  }
  static void TearDownTestSuite() { delete scratch_; }

  static fs::path model() { return *scratch_ / "model.pt"; }
  static fs::path faces() { return *scratch_ / "faces"; }

  static ProgramResult run(std::vector<std::string> words) {
    words.insert(words.end(), {"--model", model().string(), "--precision", "fp32", "--threads", "1"});
    return run_in_process(words);
  }

  static ProgramResult run_on_faces(std::vector<std::string> words) {
    words.insert(words.end(), {"--data", faces().string(), "--steps", "10"});
    return run(words);
  }

  static void expect_error(const ProgramResult& result, const std::string& message) {
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, testing::HasSubstr(message));
  }

  static ScratchFolder* scratch_;
  ScratchFolder out_;
};

ScratchFolder* SetAttackCommand::scratch_ = nullptr;

TEST_F(SetAttackCommand, UniversalLearnsOnOneHalfScoresOnTheOtherAndIsLoadedAgain) {
  const auto made =
      run_on_faces({"universal", "untargeted", "--eps", "16/255", "--out", out_.path().string(), "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const json result = json::parse(made.out);
  EXPECT_EQ(result["command"], "universal");
  EXPECT_EQ(result["n"], kFaces / 2);
  EXPECT_EQ(result["tables"]["learnt_from"]["n"], kFaces / 2);
  for (const char* name : {"success_8bit", "success_learn", "success_random"}) {
    EXPECT_EQ(result["metrics"][name]["n"], kFaces / 2) << name;
    EXPECT_EQ(result["metrics"][name]["interval"].size(), 2) << name;
  }
  for (const auto& image : result["per_image"]) EXPECT_LE(image["linf_255"], 16);
  for (const char* file : {"universal.pt", "universal.png", "gallery.png", "adversarial_attack.png", "per_image.csv"}) {
    EXPECT_TRUE(fs::exists(out_ / file)) << file;
  }
  const auto again = run(
      {"universal", "untargeted", "--data", faces().string(), "--load", (out_ / "universal.pt").string(), "--json"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(json::parse(again.out)["metrics"]["success_8bit"], result["metrics"]["success_8bit"]);
}

TEST_F(SetAttackCommand, UniversalSaysWhatIsWrong) {
  expect_error(run_on_faces({"universal", "any-to-sad", "--eps", "8"}), "did you mean 8/255?");
  expect_error(run_on_faces({"universal", "any-to-sad", "--eps", "0.5/255"}), "--eps 0.5/255: must be at least 1/255");
  expect_error(run_on_faces({"universal", "any-to-sad", "--mask", "moth"}), "did you mean mouth?");
  expect_error(run_on_faces({"universal", "any-to-sad", "--mask", ""}), "--mask : must not be empty");
  expect_error(run_on_faces({"universal", "any-to-sad", "--loss", "hinge"}), "--loss hinge: must be one of");
  expect_error(run({"universal", "any-to-sad", "--data", faces().string(), "--load", "u.pt", "--eps", "8/255"}),
               "--eps 8/255: does not go with --load");
  expect_error(run({"universal", "any-to-sad", "--data", faces().string(), "--load", "nowhere.pt"}), "nowhere.pt");
}

TEST_F(SetAttackCommand, UniversalCountsNoImageWithoutLabelTowardsItsLimit) {
  const fs::path flat = out_ / "flat";
  for (int64_t i = 0; i < 6; ++i)
    write_png(torch::full({1, 48, 48}, 40 * i, torch::kUInt8), flat / fmt::format("{}.png", i));
  const auto result = run({"universal", "any-to-sad", "--data", flat.string(), "--limit", "1", "--steps", "1", "--out",
                           (out_ / "made").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("classifies no image of the classes to attack rightly"));
}

TEST_F(SetAttackCommand, PatchIsLearntWornAndPrinted) {
  const auto made = run_on_faces({"patch", "untargeted", "--shape", "sticker", "--out", out_.path().string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, testing::HasSubstr("sticker over"));
  EXPECT_THAT(made.out, testing::HasSubstr("random, the same shape"));
  EXPECT_THAT(made.out, testing::HasSubstr(fmt::format("(n = {}, 95 % CI", kFaces / 2)));
  EXPECT_EQ(read_image(out_ / "patch.png", 1).size(1), 13);
  EXPECT_GT(read_image(out_ / "patch_print.png", 1).size(1), 900);
  EXPECT_TRUE(fs::exists(out_ / "result.json"));
}

TEST_F(SetAttackCommand, FrameWritesTheFrameThatItJudged) {
  FaceParameters face = random_face("Happy", Rng(4));
  face.framing = Framing::Portrait;
  write_png(draw_face(face, 240, 3), out_ / "portrait.png");
  const auto made = run({"frame", "untargeted", "--image", (out_ / "portrait.png").string(), "--out",
                         out_.path().string(), "--eps", "12/255", "--steps", "8", "--json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const json result = json::parse(made.out);
  EXPECT_EQ(result["metrics"]["success_shifted_boxes"]["n"], 20);
  const auto before = read_image(out_ / "original_frame.png", 3).to(torch::kInt32);
  const auto after = read_image(out_ / "adversarial_frame.png", 3).to(torch::kInt32);
  EXPECT_LE((after - before).abs().max().item<int64_t>(), 12);
  EXPECT_EQ(read_image(out_ / "frame_attack.png", 3).size(2), 2 * before.size(2));
}

TEST_F(SetAttackCommand, FrameTakesAFaceThatIsNotYetWhatTheGoalWants) {
  const std::string picture = (out_ / "two.png").string();
  const auto portrait = [](const char* emotion, int64_t side) {
    FaceParameters face = random_face(emotion, Rng(4));
    face.framing = Framing::Portrait;
    return torch::constant_pad_nd(draw_face(face, side, 3), {0, 0, 0, 300 - side}, 128);
  };
  write_png(torch::cat({portrait("Happy", 300), portrait("Surprise", 220)}, 2), picture);
  const auto frame = [&](const std::string& face) {
    return run_in_process(
        {"frame", "any-to-happy", "--image", picture, "--steps", "1", "--json", "--threads", "1", "--face", face});
  };
  const auto chosen = frame("0");
  EXPECT_THAT(chosen.err, testing::HasSubstr("the largest face is read as Happy already; face 2 of 2 is attacked"));
  EXPECT_EQ(json::parse(chosen.out)["tables"]["before"]["class"], "Surprise");
  const auto asked = frame("1");
  EXPECT_THAT(asked.err, testing::HasSubstr("face 1 of 2 is read as Happy already, so no success is counted; face 2"));
  EXPECT_EQ(json::parse(asked.out)["metrics"]["success_8bit"]["n"], 0);
}

TEST_F(SetAttackCommand, FrameSaysWhatIsWrong) {
  expect_error(run({"frame", "happy-to-sad", "--eps", "8"}), "did you mean 8/255?");
  expect_error(run({"frame", "happy-to-sad", "--eps", "0.5/255"}), "--eps 0.5/255: must be at least 1/255");
  expect_error(run({"frame", "happy-to-sad", "--image", "nowhere.png"}), "nowhere.png");
  write_png(torch::full({3, 120, 160}, 90, torch::kUInt8), out_ / "wall.png");
  const auto wall =
      run_fercli({"frame", "happy-to-sad", "--image", (out_ / "wall.png").string(), "--model", model().string()});
  EXPECT_EQ(wall.exit_code, 1);
  EXPECT_THAT(wall.err, testing::HasSubstr("no face was found"));
}

}  // namespace

}  // namespace fercli::test
