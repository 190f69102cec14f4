// The cascade beside OpenCV's own detector, on drawn pictures: the same boxes within a pixel.
#include <opencv2/objdetect.hpp>

#include "data/drawn/face.hpp"
#include "faces/face_detector.hpp"
#include "faces/mat.hpp"
#include "live/video/video_source.hpp"

namespace fercli::test {

namespace {

void expect_same_boxes(const std::vector<Box>& ours, std::vector<Box> theirs, const std::string& where) {
  std::sort(theirs.begin(), theirs.end(), [](const Box& a, const Box& b) { return a.x < b.x; });
  ASSERT_EQ(ours.size(), theirs.size()) << where;
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i].x, theirs[i].x, 1) << where;
    EXPECT_NEAR(ours[i].y, theirs[i].y, 1) << where;
    EXPECT_NEAR(ours[i].width, theirs[i].width, 1) << where;
    EXPECT_NEAR(ours[i].height, theirs[i].height, 1) << where;
  }
}

TEST(FaceDetectors, GiveTheBoxesOfOpenCvsCascade) {
  cv::CascadeClassifier cascade(find_cascade("haarcascade_frontalface_alt2.xml").string());
  DetectorSettings settings;
  settings.smallest.pixels = 24;  // nothing is shrunk
  const auto detector = make_face_detector("haar", settings);
  for (const char* crowd : {"synthetic:faces=1,size=320x240", "synthetic:faces=3,size=640x320,seed=2"}) {
    Frame frame;
    ASSERT_TRUE(open_video(crowd)->read(frame));
    const Picture picture = make_picture(frame.bgr);
    std::vector<cv::Rect> found;
    const int largest = static_cast<int>(std::min(picture.height(), picture.width()));
    cascade.detectMultiScale(as_mat(picture.grey), found, 1.2, 3, 0, {24, 24}, {largest, largest});
    std::vector<Box> theirs;
    for (const auto& face : found) {
      theirs.push_back({static_cast<double>(face.x), static_cast<double>(face.y), static_cast<double>(face.width),
                        static_cast<double>(face.height)});
    }
    EXPECT_FALSE(theirs.empty());
    expect_same_boxes(detector->find_all(picture), theirs, crowd);
  }
}

}  // namespace

}  // namespace fercli::test
