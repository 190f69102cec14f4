#include "live/label_smoother.hpp"

namespace fercli {
namespace {

constexpr double kFrame = 1 / 30.0;
const std::vector<double> kFirst{0.8, 0.1, 0.1}, kSecond{0.1, 0.8, 0.1}, kUnsure{0.35, 0.33, 0.32};

TEST(LabelSmoothing, OneOddFrameChangesNothing) {
  LabelSmoother smoother({});
  for (int i = 0; i < 10; ++i) smoother.update(kFirst, i * kFrame);
  smoother.update(kSecond, 10 * kFrame);
  EXPECT_EQ(smoother.label(), 0);
  EXPECT_GT(smoother.probabilities()[0], 0.7);
}

TEST(LabelSmoothing, ALastingChangeIsShownWithinASecond) {
  LabelSmoother smoother({});
  for (int i = 0; i < 30; ++i) smoother.update(kFirst, i * kFrame);
  int frames = 0;
  while (smoother.label() != 1 && frames < 60) smoother.update(kSecond, (30 + frames++) * kFrame);
  EXPECT_GT(frames, 3);
  EXPECT_LT(frames, 30);
}

TEST(LabelSmoothing, SlowFramesAreNotWaitedForThreeTimes) {
  LabelSmoother smoother({});
  smoother.update(kFirst, 0);
  smoother.update(kSecond, 1);
  smoother.update(kSecond, 2);
  EXPECT_EQ(smoother.label(), 1);
}

TEST(LabelSmoothing, ANearTieDoesNotFlicker) {
  LabelSmoother smoother({0.4, 0.1, 3, 0.3, 0});
  for (int i = 0; i < 10; ++i) smoother.update({0.5, 0.45, 0.05}, i * kFrame);
  for (int i = 10; i < 100; ++i) {
    smoother.update(i % 2 == 0 ? std::vector<double>{0.45, 0.5, 0.05} : std::vector<double>{0.44, 0.51, 0.05},
                    i * kFrame);
    EXPECT_EQ(smoother.label(), 0);
  }
}

TEST(LabelSmoothing, UnderTheThresholdTheLabelIsUncertain) {
  LabelSmoother smoother({});
  smoother.update(kUnsure, 0);
  EXPECT_FALSE(smoother.label().has_value());
}

TEST(LabelSmoothing, ZeroSecondsGiveTheRawLabelOfEveryFrame) {
  LabelSmoother smoother({0, 0.1, 3, 0.3, 0.4});
  smoother.update(kFirst, 0);
  smoother.update(kSecond, kFrame);
  EXPECT_EQ(smoother.label(), 1);
  EXPECT_EQ(smoother.probabilities(), kSecond);
}

}  // namespace
}  // namespace fercli
