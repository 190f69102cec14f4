#include "live/face_follower.hpp"

#include <gtest/gtest.h>

#include "live/video/video_source.hpp"

namespace fercli::test {

namespace {

/// Faces of all sizes in pictures of all sizes, some of them at the border of two bands.
TEST(FaceFollower, FindsWhatIsFoundInAWholePictureWithinAFewFrames) {
  constexpr int kFrames = 12;  // several rounds through the bands
  DetectorSettings settings;
  settings.threshold = 10;  // a face counts that is hit at several sizes
  int64_t faces = 0;
  for (int64_t width = 220; width <= 520; width += 30) {
    const std::string video = fmt::format("synthetic:faces=1,size={}x{}", width, width * 3 / 4);
    Frame frame;
    ASSERT_TRUE(open_video(video)->read(frame));
    const Picture picture = make_picture(frame.bgr);
    const std::shared_ptr<FaceDetector> detector = make_face_detector("haar", settings);
    const size_t there = detector->find_all(picture).size();
    FaceFollower follower(detector, {});
    size_t seen = 0;
    for (int i = 0; i < kFrames; ++i) seen = follower.follow(picture, 0.1 * i).size();
    EXPECT_EQ(seen, there) << video;
    faces += static_cast<int64_t>(there);
  }
  EXPECT_GT(faces, 7);
}

}  // namespace

}  // namespace fercli::test
