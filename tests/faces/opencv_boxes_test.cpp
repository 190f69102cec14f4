// The cascade and YuNet beside OpenCV's own detectors, on drawn pictures: the same boxes within a pixel.
#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <opencv2/core/version.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "core/files.hpp"
#include "data/drawn/face.hpp"
#include "data/image.hpp"
#include "faces/face_detector.hpp"
#include "faces/mat.hpp"
#include "live/video/video_source.hpp"
#include "models/files/onnx_proto.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/faces/yunet_network.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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

// ---- YuNet ----------------------------------------------------------------------------------------------------------

/// What cv::FaceDetectorYN of OpenCV 4.10 finds; experiments/opencv-yunet.cjs says how it was made.
const fs::path kYunetBoxes = fs::path(FERCLI_TEST_FOLDER) / "golden/yunet-boxes.json";

using NamedPictures = std::map<std::string, cv::Mat>;

/// Three drawn people: upright, tilted by 30 degrees to either side, and cut by all four borders of the picture.
NamedPictures drawn_people() {
  Frame frame;
  EXPECT_TRUE(open_video("synthetic:faces=3,size=640x320,seed=2")->read(frame));
  const cv::Mat upright = as_mat(frame.bgr).clone();
  NamedPictures pictures{{"upright", upright}};
  for (const int degrees : {-30, 30}) {
    const cv::Mat turn = cv::getRotationMatrix2D({320, 160}, degrees, 0.9);
    cv::warpAffine(upright, pictures["tilted" + std::to_string(degrees)], turn, upright.size(), cv::INTER_LINEAR,
                   cv::BORDER_REPLICATE);
  }
  for (const auto& [name, x, y] : {std::tuple("left", 90, 0), {"right", -90, 0}, {"top", 0, 190}, {"bottom", 0, -70}}) {
    const cv::Mat shift = (cv::Mat_<double>(2, 3) << 1, 0, -x, 0, 1, -y);
    cv::warpAffine(upright, pictures[std::string("border-") + name], shift, upright.size(), cv::INTER_LINEAR,
                   cv::BORDER_CONSTANT);
  }
  return pictures;
}

/// For the network of `write_yunet`, which takes bright cells for faces: some in the middle, some at the border.
NamedPictures bright_cells() {
  cv::Mat picture = cv::Mat::zeros(208, 304, CV_8UC3);  // no multiples of 32
  for (const auto& [column, row] : {std::pair(0, 0), {18, 2}, {9, 6}, {4, 12}}) {
    picture(cv::Rect(16 * column, 16 * row, 16, 16)).setTo(cv::Scalar::all(255));
  }
  return {{"cells", picture}};
}

/// By left edges, as the table has them.
std::vector<Box> raw_boxes(FaceDetector& detector, const cv::Mat& bgr) {
  std::vector<Box> boxes;
  for (const auto& face : detector.detect_all(make_picture(as_tensor(bgr)))) boxes.push_back(face.raw);
  std::sort(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.x < b.x; });
  return boxes;
}

std::string ppm_of(const cv::Mat& bgr) {
  cv::Mat rgb;
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  const auto* bytes = rgb.ptr<char>();
  return fmt::format("P6\n{} {}\n255\n", rgb.cols, rgb.rows) + std::string(bytes, bytes + rgb.total() * 3);
}

/// With a shape for every output, which OpenCV wants to see.
std::string network_with_shapes(const fs::path& file) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(read_file(file)));
  for (auto& output : *model.mutable_graph()->mutable_output()) {
    auto& type = *output.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto_DataType_FLOAT);
    type.mutable_shape();
  }
  return model.SerializeAsString();
}

#if CV_VERSION_MAJOR > 4 || (CV_VERSION_MAJOR == 4 && CV_VERSION_MINOR >= 8)
/// This OpenCV's own, which reads the layout of 2023 too.
std::vector<Box> own_boxes(const fs::path& network, const cv::Mat& bgr) {
  cv::Mat found;
  cv::FaceDetectorYN::create(network.string(), "", bgr.size(), 0.7F, 0.3F)->detect(bgr, found);
  std::vector<Box> boxes;
  for (int i = 0; i < found.rows; ++i) {
    const float* row = found.ptr<float>(i);
    boxes.push_back({row[0], row[1], row[2], row[3]});
  }
  return boxes;
}
#endif

/// The pictures under this name in the table. With FERCLI_RENEW=DIR they are written there with the network instead.
void expect_boxes_of_opencv(const std::string& name, const fs::path& network, const NamedPictures& pictures) {
  if (const char* folder = std::getenv("FERCLI_RENEW")) {
    const fs::path place = fs::path(folder) / name;
    fs::create_directories(place);
    write_file(place.string() + ".onnx", network_with_shapes(network));
    for (const auto& [picture, bgr] : pictures) write_file(place / (picture + ".ppm"), ppm_of(bgr));
    return;
  }
  const json found = json::parse(read_file(kYunetBoxes)).at(name);
  ASSERT_EQ(found.size(), pictures.size());
  DetectorSettings settings;
  settings.smallest.pixels = 24;  // nothing is shrunk
  const auto detector = make_face_detector(network.string(), settings);
  for (const auto& [picture, bgr] : pictures) {
    const auto ours = raw_boxes(*detector, bgr);
    std::vector<Box> theirs;
    for (const auto& face : found.at(picture)) theirs.push_back({face.at(0), face.at(1), face.at(2), face.at(3)});
    EXPECT_GE(theirs.size(), 2u) << picture;
    expect_same_boxes(ours, theirs, name + ", " + picture);
#if CV_VERSION_MAJOR > 4 || (CV_VERSION_MAJOR == 4 && CV_VERSION_MINOR >= 8)
    const ScratchFolder scratch;
    write_file(scratch / "yunet.onnx", network_with_shapes(network));
    expect_same_boxes(ours, own_boxes(scratch / "yunet.onnx", bgr), name + ", " + picture + ", this OpenCV");
#endif
  }
}

TEST(FaceDetectors, GiveTheBoxesOfOpenCvsYunetOfBrightCells) {
  const ScratchFolder scratch;
  write_yunet(scratch / "yunet.onnx");
  expect_boxes_of_opencv("cells", scratch / "yunet.onnx", bright_cells());
}

/// The public network does not come with the program: FERCLI_YUNET names face_detection_yunet_2023mar.onnx.
TEST(FaceDetectors, GiveTheBoxesOfOpenCvsYunetOfDrawnPeople) {
  const char* network = std::getenv("FERCLI_YUNET");
  if (network == nullptr || !fs::exists(network)) GTEST_SKIP() << "FERCLI_YUNET names no file";
  expect_boxes_of_opencv("2023mar", network, drawn_people());
}

}  // namespace

}  // namespace fercli::test
