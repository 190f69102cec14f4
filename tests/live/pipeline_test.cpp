#include <atomic>
#include <chrono>
#include <thread>

#include "core/files.hpp"
#include "core/progress.hpp"
#include "data/image.hpp"
#include "faces/region_map.hpp"
#include "live/pipeline.hpp"
#include "live/screen/hud.hpp"
#include "live/session.hpp"
#include "live/video/recorder.hpp"
#include "live/video/synthetic_video.hpp"
#include "models/checkpoint.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {
namespace {

constexpr const char* kTwoPeople = "synthetic:faces=2,fps=10,seconds=6";

const Classifier& standard() {
  static const Classifier classifier = make_classifier(load_checkpoint(resolve_model("standard")), {1, "fp32"});
  return classifier;
}

std::vector<std::shared_ptr<FaceDetector>> haar() {
  return {make_face_detector("haar")};
}

PipelineSettings settings_with(Pace pace) {
  PipelineSettings settings;
  settings.pace = pace;
  settings.runtime.threads = 1;
  return settings;
}

std::vector<AnalysedFrame> all_frames(LivePipeline& pipeline) {
  std::vector<AnalysedFrame> frames;
  while (!pipeline.finished()) {
    if (auto frame = pipeline.next(1)) frames.push_back(std::move(*frame));
  }
  return frames;
}

/// A camera that delivers three frames and then hangs until it is told to stop.
class SilentCamera : public VideoSource {
 public:
  bool read(Frame& frame) override {
    while (next_ == 3 && !stopped_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (stopped_) return false;
    frame = {torch::zeros({120, 160, 3}, torch::kUInt8), next_, static_cast<double>(next_) / 30};
    ++next_;
    return true;
  }
  void stop() override { stopped_ = true; }
  std::string name() const override { return "silent"; }
  double fps() const override { return 30; }
  bool is_live() const override { return true; }
  int64_t length() const override { return 0; }

 private:
  std::atomic<bool> stopped_{false};
  int64_t next_ = 0;
};

TEST(LivePipelines, EndInTimeWhenTheCameraFallsSilent) {
  PipelineSettings settings = settings_with(Pace::EveryFrame);
  settings.max_seconds = 1;
  LivePipeline pipeline(std::make_unique<SilentCamera>(), haar(), standard(), nullptr, settings);
  EXPECT_EQ(all_frames(pipeline).size(), 3u);
}

TEST(LiveFaces, TwoPeopleKeepTheirNumbersAndShowTheirEmotions) {
  LivePipeline pipeline(open_video("synthetic:faces=2,fps=5,seconds=6"), haar(), standard(), nullptr,
                        settings_with(Pace::EveryFrame));
  const auto frames = all_frames(pipeline);
  ASSERT_EQ(frames.size(), 30u);
  EXPECT_EQ(pipeline.status().dropped, 0);
  EXPECT_EQ(pipeline.faces_seen(), 2);
  int64_t faces = 0, plain = 0, right = 0;
  for (const auto& frame : frames) {
    for (const auto& face : frame.faces) {
      ++faces;
      const int64_t person = face.reading.box.centre_x() < 320 ? 0 : 1;
      EXPECT_EQ(face.id, frames[10].faces[0].reading.box.centre_x() < 320 ? person + 1 : 2 - person);
      // The middle of each expression, of those two that no network takes for something else.
      const std::string emotion = synthetic_emotion(person, frame.frame.time);
      const double beat = std::fmod(frame.frame.time, 3);
      if ((emotion != "Happy" && emotion != "Surprise") || beat < 1 || beat > 2.5) continue;
      ++plain;
      right += face.label == standard().classes().index(emotion);
    }
  }
  EXPECT_GT(faces, 50);
  EXPECT_GT(plain, 20);
  EXPECT_GT(right, plain * 9 / 10);
}

TEST(LiveFaces, WhatTheNetworkSeesIsWhatItsVerdictIsAbout) {
  PipelineSettings settings = settings_with(Pace::EveryFrame);
  settings.max_frames = 12;
  LivePipeline pipeline(open_video(kTwoPeople), haar(), standard(), nullptr, settings);
  const auto frames = all_frames(pipeline);
  ASSERT_EQ(frames.size(), 12u);
  for (const auto& face : frames.back().faces) {
    EXPECT_EQ(read_crops(standard(), face.reading.crop.unsqueeze(0))[0], face.reading.probabilities);
  }
}

/// The first frame of two people in which a face was found, explained.
AnalysedFrame find_explained_frame() {
  PipelineSettings settings = settings_with(Pace::EveryFrame);
  settings.max_frames = 6;
  settings.explain = true;
  LivePipeline pipeline(open_video(kTwoPeople), haar(), standard(), nullptr, settings);
  for (auto& frame : all_frames(pipeline)) {
    if (frame.explanation) return frame;
  }
  return {};
}

const AnalysedFrame& explained_frame() {
  static const AnalysedFrame frame = find_explained_frame();
  return frame;
}

TEST(LiveFaces, AnExplanationHidesEachRegionInTurn) {
  const auto& frame = explained_frame();
  ASSERT_TRUE(frame.explanation.has_value());
  const Explanation& told = *frame.explanation;
  const auto label = static_cast<size_t>(top_of(told.seen));
  const int64_t region = told.crop.size(1) / kRegions;
  for (const auto& [row, column] : {std::pair{2, 3}, {5, 0}}) {
    auto hidden = told.crop.clone();
    hidden.slice(1, row * region, (row + 1) * region)
        .slice(2, column * region, (column + 1) * region)
        .fill_(told.crop.to(torch::kFloat64).mean().round().item<int64_t>());
    const double left = read_crops(standard(), hidden.unsqueeze(0))[0][label];
    EXPECT_NEAR(told.regions[row][column].item<double>(), told.seen[label] - left, 1e-6);
  }
}

TEST(LiveFaces, TheWindowShowsTheRegionsOfAnExplanation) {
  auto frame = explained_frame();
  ASSERT_TRUE(frame.explanation.has_value());
  Hud hud(standard().classes().names(), "en", "untargeted");
  const auto warm = [&] {
    const auto shown = hud.compose(frame, {}, Timeline(), {}).slice(1, frame.frame.bgr.size(1)).to(torch::kInt32);
    return (shown.select(2, 2) - shown.select(2, 0)).gt(110).sum().item<int64_t>();
  };
  frame.faces.clear();  // their bars have warm colours too
  frame.explanation->regions = torch::zeros({kRegions, kRegions}, torch::kFloat64);
  const int64_t cold = warm();
  frame.explanation->regions[1][1] = 0.5;
  EXPECT_GT(warm(), cold + 100);
}

TEST(LiveFaces, TheWindowShowsASmallPictureEnlarged) {
  AnalysedFrame frame;
  frame.frame.bgr = torch::full({48, 48, 3}, 90, torch::kUInt8);
  frame.frame.bgr[47][46].fill_(200);
  const auto shown = Hud(standard().classes().names(), "en", "untargeted").compose(frame, {}, Timeline(), {});
  EXPECT_EQ(shown.size(0), Hud::kStatus + 480 + Hud::kStrip);
  const auto last_rows = shown.slice(0, Hud::kStatus + 470, Hud::kStatus + 480);
  EXPECT_TRUE(last_rows.slice(1, 460, 470).eq(200).all().item<bool>());
  EXPECT_TRUE(last_rows.slice(1, 470, 480).eq(90).all().item<bool>());
}

TEST(LiveFaces, TheStatusLineCoversNothingOfThePicture) {
  AnalysedFrame frame;
  frame.frame.bgr = torch::full({480, 640, 3}, 90, torch::kUInt8);
  PipelineStatus status;
  status.fps = 29.9;
  const auto shown = Hud(standard().classes().names(), "en", "untargeted").compose(frame, status, Timeline(), {});
  const auto picture = shown.slice(0, Hud::kStatus, Hud::kStatus + 480).slice(1, 0, 640);
  EXPECT_TRUE(torch::equal(picture, frame.frame.bgr));
  EXPECT_GT(shown.slice(0, 0, Hud::kStatus).max().item<int>(), 150) << "the status line";
}

TEST(LiveFaces, ASlowReaderLosesFramesAndNothingPilesUp) {
  LivePipeline pipeline(open_video("synthetic:faces=0,fps=60,size=160x120"), haar(), standard(), nullptr,
                        settings_with(Pace::RealTime));
  std::vector<int64_t> numbers;
  while (numbers.size() < 8) {
    if (auto frame = pipeline.next(1)) numbers.push_back(frame->frame.number);
    const auto captured = pipeline.status().captured;
    while (pipeline.status().captured < captured + 4) std::this_thread::yield();
    EXPECT_LE(pipeline.status().waiting, 1);
  }
  EXPECT_GT(pipeline.status().dropped, 8);
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  // What is handed out next was captured lately: at most two frames wait on the way.
  EXPECT_GT(numbers.back(), 14);
}

TEST(LiveFaces, APauseStopsTheVideo) {
  LivePipeline pipeline(open_video("synthetic:faces=0,fps=120,size=160x120"), haar(), standard(), nullptr,
                        settings_with(Pace::RealTime));
  ASSERT_TRUE(pipeline.next(2).has_value());
  pipeline.pause(true);
  while (pipeline.next(0.2)) {
  }
  const int64_t captured = pipeline.status().captured;
  EXPECT_FALSE(pipeline.next(0.1).has_value());
  EXPECT_EQ(pipeline.status().captured, captured);
  pipeline.pause(false);
  EXPECT_TRUE(pipeline.next(2).has_value());
}

TEST(LiveFaces, TheAttackStaysWithinEpsAndKeepsItsTally) {
  PipelineSettings settings = settings_with(Pace::EveryFrame);
  settings.max_frames = 10;
  LiveAttackSettings attack{parse_emotion_goal("untargeted", standard().classes()), 8 / 255.0, 4};
  LivePipeline pipeline(open_video("synthetic:faces=1,fps=15,size=320x240"), haar(), standard(),
                        std::make_unique<LiveAttack>(standard(), &standard(), attack), settings);
  pipeline.attack(true);
  int64_t successes = 0, faces = 0;
  for (const auto& frame : all_frames(pipeline)) {
    ASSERT_EQ(frame.perturbed.size(), frame.faces.size());
    for (const auto& face : frame.perturbed) {
      ++faces;
      const auto change = face.adversarial.to(torch::kInt32) - face.original.to(torch::kInt32);
      EXPECT_LE(change.abs().max().item<int64_t>(), 8);
      EXPECT_EQ(face.success, top_of(face.before) != top_of(face.after));
      EXPECT_EQ(face.after, face.robust_after);
      successes += face.success;
    }
    EXPECT_EQ(frame.tally.successes, successes);
    EXPECT_EQ(frame.tally.faces, faces);
  }
  EXPECT_GE(faces, 5);
  EXPECT_GT(successes, 0);
}

TEST(VideoSources, EqualOptionsGiveEqualFrames) {
  const auto a = open_video("synthetic:faces=1,size=160x120,seed=3"),
             b = open_video("synthetic:faces=1,size=160x120,seed=3");
  Frame first, second;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(a->read(first) && b->read(second));
    EXPECT_TRUE(torch::equal(first.bgr, second.bgr));
  }
}

TEST(VideoSources, AFileThatIsCutOffIsSaid) {
  const ScratchFolder folder;
  const auto file = folder / "clip.avi";
  {
    VideoRecorder recorder(file, 160, 120, 10);
    for (int i = 0; i < 40; ++i) recorder.add(torch::full({120, 160, 3}, 6 * i, torch::kUInt8), 0.1 * i);
    recorder.finish();
  }
  const auto said = [&] {
    const auto video = open_video(file.string());
    Frame frame;
    silence_progress(false);
    testing::internal::CaptureStderr();
    while (video->read(frame)) {
    }
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said(), "");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  EXPECT_THAT(said(), testing::HasSubstr("where it says that it lasts 4.0 s; it may be cut off"));
}

TEST(VideoRecorders, KeepTimeAtAnyRate) {
  const ScratchFolder folder;
  for (const double fps : {29.97, 119.7368, 239.76}) {
    const auto file = folder / "clip.mp4";
    VideoRecorder recorder(file, 64, 64, fps);
    for (int i = 0; i < 60; ++i) recorder.add(torch::full({64, 64, 3}, 4 * i, torch::kUInt8), i / fps);
    recorder.finish();
    const auto video = open_video(file.string());
    Frame frame;
    double end = 0;
    while (video->read(frame)) end = frame.time;
    EXPECT_NEAR(end, 59 / fps, 0.01) << fps;
    std::filesystem::remove(file);
  }
}

TEST(VideoSources, AFolderPlaysItsImagesInTheOrderOfTheirNames) {
  const ScratchFolder folder;
  for (const int shade : {30, 10, 20}) {
    write_png(torch::full({3, 20, 30}, shade, torch::kUInt8), folder / ("image" + std::to_string(shade) + ".png"));
  }
  const auto video = open_video(folder.path().string());
  Frame frame;
  for (const int shade : {10, 20, 30}) {
    ASSERT_TRUE(video->read(frame));
    EXPECT_EQ(frame.bgr[0][0][0].item<int>(), shade);
  }
  EXPECT_FALSE(video->read(frame));
}

TEST(VideoSources, APictureOfAnotherShapeKeepsItsShape) {
  const ScratchFolder folder;
  write_png(torch::full({3, 20, 40}, 10, torch::kUInt8), folder / "a.png");
  write_png(torch::full({3, 40, 40}, 200, torch::kUInt8), folder / "b.png");
  const auto video = open_video(folder.path().string());
  Frame frame;
  ASSERT_TRUE(video->read(frame) && video->read(frame));
  EXPECT_EQ(frame.bgr.sizes(), (std::vector<int64_t>{20, 40, 3}));
  EXPECT_EQ(frame.bgr[10][20][0].item<int>(), 200);
  EXPECT_EQ(frame.bgr[10][5][0].item<int>(), 0);  // 20 columns of picture between 10 and 10 of black
}

TEST(LivePipelines, AStillThatIsHeldIsWorkedOnAgainWithTheSameFaces) {
  const ScratchFolder folder;
  write_png(torch::full({3, 48, 48}, 90, torch::kUInt8), folder / "face.png");
  PipelineSettings settings = settings_with(Pace::EveryFrame);
  settings.hold = true;
  settings.max_frames = 3;
  LivePipeline pipeline(open_video((folder / "face.png").string()), haar(), standard(), nullptr, settings);
  const auto frames = all_frames(pipeline);
  ASSERT_EQ(frames.size(), 3u);
  for (const auto& frame : frames) {
    EXPECT_EQ(frame.faces.at(0).id, 1);
    EXPECT_GT(frame.read_ms, 0);
  }
  EXPECT_EQ(pipeline.faces_seen(), 1);
  EXPECT_EQ(pipeline.status().captured, 1);
  EXPECT_EQ(pipeline.status().analysed, 1) << "a further look at it is no further frame";
}

TEST(VideoSources, WrongWordsAreExplained) {
  EXPECT_EQ(message_of([] { open_video("nowhere.mp4"); }), "nowhere.mp4: no such file");
  EXPECT_THAT(message_of([] { open_video("synthetic:people=3"); }),
              testing::HasSubstr("unknown key 'people' (known: faces, seed, size, fps, seconds, cross, cut)"));
  EXPECT_THAT(message_of([] { open_video("synthetic:size=3"); }), testing::HasSubstr("must be WIDTHxHEIGHT"));
}

TEST(FaceDetectors, FindADrawnFaceWhereItIs) {
  const auto video = open_video("synthetic:faces=1,size=320x240");
  Frame frame;
  ASSERT_TRUE(video->read(frame));
  const Picture picture = make_picture(frame.bgr);
  const auto boxes = make_face_detector("haar")->find(picture, FaceSearch::everywhere(picture));
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_NEAR(boxes[0].centre_x(), 160, 25);
  EXPECT_NEAR(boxes[0].width, 95, 25);
}

TEST(FaceDetectors, FilesThatAreNoneAreRefused) {
  const ScratchFolder folder;
  write_png(torch::zeros({1, 8, 8}, torch::kUInt8), folder / "face.xml");
  write_png(torch::zeros({1, 8, 8}, torch::kUInt8), folder / "face.onnx");
  EXPECT_THAT(message_of([&] { make_face_detector((folder / "face.xml").string()); }),
              testing::HasSubstr("is not a cascade"));
  EXPECT_THAT(message_of([&] { make_face_detector((folder / "face.onnx").string()); }),
              testing::HasSubstr("is not a YuNet face detector"));
  EXPECT_THAT(message_of([] { make_face_detector("mtcnn"); }), testing::HasSubstr("must be haar"));
}

TEST(Sessions, TakeNamesThatNoOtherSessionHas) {
  const ScratchFolder folder;
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  {
    Session one({}, LabelSet::fer2013(), 10), other({}, LabelSet::fer2013(), 10);
    EXPECT_EQ(one.toggle_recording(), "fercli-recording1.mp4");
    EXPECT_EQ(other.toggle_recording(), "fercli-recording2.mp4");
    const auto picture = torch::zeros({48, 64, 3}, torch::kUInt8);
    one.add_shown(picture, 0);
    EXPECT_EQ(one.toggle_recording(), "");
    EXPECT_EQ(one.snapshot(picture, {}), "fercli-snapshot1.png");
    EXPECT_EQ(other.snapshot(picture, {}), "fercli-snapshot2.png");
  }
  std::filesystem::current_path(here);
  EXPECT_GT(std::filesystem::file_size(folder / "fercli-recording1.mp4"), 0u);
  EXPECT_FALSE(std::filesystem::exists(folder / "fercli-recording2.mp4")) << "nothing was recorded";
}

TEST(Sessions, GoOnWhereAKeyCannotSave) {
  const ScratchFolder folder;
  const auto here = std::filesystem::current_path();
  const auto gone = folder / "gone";
  std::filesystem::create_directory(gone);
  std::filesystem::current_path(gone);
  std::filesystem::remove(gone);
  Session session({}, LabelSet::fer2013(), 10);
  testing::internal::CaptureStderr();
  EXPECT_EQ(session.toggle_recording(), "");
  EXPECT_FALSE(session.recording());
  EXPECT_EQ(session.snapshot(torch::zeros({48, 64, 3}, torch::kUInt8), {}), "");
  const std::string said = testing::internal::GetCapturedStderr();
  std::filesystem::current_path(here);
  for (const char* name : {"fercli-recording1.mp4", "fercli-snapshot1.png"}) {
    EXPECT_THAT(said, testing::HasSubstr(std::string(name) + ": cannot be written (")) << said;
  }
}

TEST(Sessions, ThatAreRefusedLeaveTheLogsAsTheyWere) {
  const ScratchFolder folder;
  write_file(folder / "log.csv", "mine");
  write_file(folder / "out" / ".fercli.json", R"({"command": "eval", "files": []})");
  SessionOutputs outputs;
  outputs.csv = (folder / "log.csv").string();
  outputs.folder = (folder / "out").string();
  EXPECT_THAT(message_of([&] { Session(outputs, LabelSet::fer2013(), 10); }),
              testing::HasSubstr("holds results of fercli eval"));
  EXPECT_EQ(read_file(folder / "log.csv"), "mine");
}

}  // namespace
}  // namespace fercli::test
