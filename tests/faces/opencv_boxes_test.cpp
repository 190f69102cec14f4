// Our detectors beside OpenCV's own, on drawn pictures: the same boxes within a pixel.
#include <ATen/ATen.h>

#include <opencv2/core/version.hpp>
#include <opencv2/objdetect.hpp>

#include "data/drawn/face.hpp"
#include "faces/face_detector.hpp"
#include "faces/mat.hpp"
#include "live/video/video_source.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/faces/yunet_network.hpp"

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

TEST(FaceDetectors, GiveTheBoxesOfOpenCvsYunet) {
  const ScratchFolder folder;
  const std::string file = (folder / "yunet.onnx").string();
#if CV_VERSION_MAJOR > 4 || (CV_VERSION_MAJOR == 4 && CV_VERSION_MINOR >= 8)
  write_yunet(file);  // the layout of 2023
#else
  write_yunet_of_2022(file);
#endif
  auto bgr = torch::zeros({256, 384, 3}, torch::kUInt8);
  for (const auto& [row, column] : {std::pair{6, 10}, {2, 3}, {11, 20}}) {
    bgr.slice(0, 16 * row, 16 * row + 16).slice(1, 16 * column, 16 * column + 16).fill_(255);
  }
  const auto theirs_of = cv::FaceDetectorYN::create(file, "", {384, 256}, 0.7F, 0.3F);
  cv::Mat found;
  theirs_of->detect(as_mat(bgr), found);
  std::vector<Box> theirs, ours;
  for (int i = 0; i < found.rows; ++i) {
    const auto* face = found.ptr<float>(i);
    theirs.push_back({face[0], face[1], face[2], face[3]});
  }
  EXPECT_EQ(theirs.size(), 3u);
  const Picture picture = make_picture(bgr);
  for (const auto& face : make_face_detector(file)->detect(picture, {{0, 0, 384, 256}, 24, 400})) {
    ours.push_back(face.raw);
    EXPECT_GT(face.score, 0.9);
    EXPECT_TRUE(face.points.has_value());
  }
  std::sort(ours.begin(), ours.end(), [](const Box& a, const Box& b) { return a.x < b.x; });
  expect_same_boxes(ours, theirs, "drawn cells");
}

}  // namespace

}  // namespace fercli::test
