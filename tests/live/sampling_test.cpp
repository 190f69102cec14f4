#include "live/video/sampling.hpp"

#include "core/progress.hpp"
#include "live/cut_detector.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/live/variable_rate_video.hpp"

namespace fercli::test {
namespace {

std::vector<int64_t> taken(const Sampling& sampling, const std::vector<double>& times) {
  Sampler sampler(sampling);
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < times.size(); ++i) {
    if (sampler.takes({{}, static_cast<int64_t>(i), times[i]})) numbers.push_back(static_cast<int64_t>(i));
  }
  return numbers;
}

TEST(Sampling, TakesEveryNthFrameOrOneInSoManySeconds) {
  const std::vector<double> times{0, 0.1, 0.2, 0.9, 1.0, 1.1, 4.5, 4.6, 5.4, 5.5};
  EXPECT_EQ(taken({}, times).size(), times.size());
  EXPECT_EQ(taken(parse_sampling("4"), times), (std::vector<int64_t>{0, 4, 8}));
  EXPECT_EQ(taken(parse_sampling("1s"), times), (std::vector<int64_t>{0, 4, 6, 9}));
}

TEST(Sampling, TimesAreReadAsPeopleWriteThem) {
  EXPECT_EQ(parse_time("90"), 90);
  EXPECT_EQ(parse_time("90.5s"), 90.5);
  EXPECT_EQ(parse_time("1:30"), 90);
  EXPECT_EQ(parse_time("1:00:01.5"), 3601.5);
  for (const char* wrong : {"", "soon", "-1", "1:75", "1:2:3:4", "1e30", "9000000000000000000:00"}) {
    EXPECT_THROW(parse_time(wrong), std::invalid_argument) << wrong;
  }
  for (const char* wrong : {"0", "0s", "-3", "1.5", "s", "9223372036854775807"}) {
    EXPECT_THROW(parse_sampling(wrong), std::invalid_argument) << wrong;
  }
}

std::vector<double> times_of(VideoSource& video) {
  std::vector<double> times;
  for (Frame frame; video.read(frame);) times.push_back(frame.time);
  return times;
}

TEST(VideoSources, AFrameHasTheTimeStampOfItsFile) {
  const ScratchFolder folder;
  const std::vector<uint64_t> stamps{0, 40, 80, 500, 540, 2000, 2033, 5000};
  const std::vector<torch::Tensor> frames(stamps.size(), torch::full({48, 64, 3}, 90, torch::kUInt8));
  write_variable_rate_video(folder / "variable.mkv", frames, stamps);
  const auto times = times_of(*open_video((folder / "variable.mkv").string()));
  ASSERT_EQ(times.size(), stamps.size());
  for (size_t i = 0; i < stamps.size(); ++i) EXPECT_NEAR(times[i], static_cast<double>(stamps[i]) / 1000, 1e-6) << i;
}

TEST(VideoSources, AFileOfAThousandTicksASecondIsNotTakenForCutOff) {
  const ScratchFolder folder;
  std::vector<uint64_t> stamps;  // as browsers and screen recorders write them
  for (uint64_t i = 0; i < 30; ++i) stamps.push_back(33 * i + 7 * i % 5);
  const std::vector<torch::Tensor> frames(stamps.size(), torch::full({48, 64, 3}, 90, torch::kUInt8));
  for (const double lasts : {990.0, 5000.0}) {
    write_variable_rate_video(folder / "screen.mkv", frames, stamps, lasts);
    silence_progress(false);
    testing::internal::CaptureStderr();
    EXPECT_EQ(times_of(*open_video((folder / "screen.mkv").string())).size(), stamps.size());
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.empty(), lasts < 1000) << said;
    EXPECT_EQ(said.find("it says that it lasts 5.0 s") == std::string::npos, lasts < 1000) << said;
  }
}

TEST(VideoSources, APartKeepsTheNumbersAndTimesOfTheWhole) {
  const auto part = part_of(open_video("synthetic:faces=0,fps=10,seconds=3,size=64x64"), {1, 1.5});
  EXPECT_EQ(part->length(), 5);
  Frame frame;
  ASSERT_TRUE(part->read(frame));
  EXPECT_EQ(frame.number, 10);
  EXPECT_DOUBLE_EQ(frame.time, 1);
  EXPECT_EQ(times_of(*part).size(), 4u);
}

std::vector<int64_t> cuts_of(const std::string& word) {
  const auto video = open_video(word);
  CutDetector detector;
  std::vector<int64_t> cuts;
  for (Frame frame; video->read(frame);) {
    if (detector.is_cut(make_picture(frame.bgr))) cuts.push_back(frame.number);
  }
  return cuts;
}

TEST(HardCuts, AreFoundWhereTheSceneChangesAndNowhereElse) {
  EXPECT_EQ(cuts_of("synthetic:faces=2,fps=10,seconds=6,size=320x240,cut=2"), (std::vector<int64_t>{20, 40}));
  EXPECT_THAT(cuts_of("synthetic:faces=2,fps=10,seconds=6,size=320x240,cross=3"), testing::IsEmpty());
}

TEST(HardCuts, LightThatIsSwitchedOnIsNone) {
  const auto video = open_video("synthetic:faces=1,size=320x240");
  Frame frame;
  ASSERT_TRUE(video->read(frame));
  CutDetector detector;
  const auto dark = frame.bgr.to(torch::kFloat32).mul(0.6).to(torch::kUInt8);
  EXPECT_FALSE(detector.is_cut(make_picture(dark)));
  EXPECT_FALSE(detector.is_cut(make_picture(dark + 60)));
}

}  // namespace
}  // namespace fercli::test
