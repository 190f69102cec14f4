// YuNet's layout of 2023, decoded from a network made to find bright cells.
#include <ATen/ATen.h>

#include "core/files.hpp"
#include "faces/face_detector.hpp"
#include "models/files/onnx_proto.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/faces/yunet_network.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

Picture black(int64_t height, int64_t width) {
  return make_picture(torch::zeros({height, width, 3}, torch::kUInt8));
}

TEST(Yunet, BoxesStandWhereEyesAndMouthSay) {
  const ScratchFolder folder;
  write_yunet(folder / "yunet.onnx");
  const auto detector = make_face_detector((folder / "yunet.onnx").string());
  EXPECT_EQ(detector->name(), "yunet");

  auto bgr = torch::zeros({200, 300, 3}, torch::kUInt8);  // no multiples of 32
  bgr.slice(0, 96, 112).slice(1, 160, 176).fill_(255);    // row 6, column 10
  bgr.slice(0, 48, 64).slice(1, 32, 48).fill_(255);       // row 3, column 2
  const Picture picture = make_picture(bgr);
  const auto boxes = detector->find(picture, {{0, 0, 300, 200}, 24, 200});
  ASSERT_EQ(boxes.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const double x = i == 0 ? 2 : 10, y = i == 0 ? 3 : 6;
    const double eyes_y = (y + 0.25) * 16, mouth_y = (y + 1.75) * 16;
    const Box square = face_square(boxes[i]);
    EXPECT_NEAR(square.centre_x(), (x + 0.5) * 16, 1e-3);
    EXPECT_NEAR(square.y + 0.38 * square.height, eyes_y, 1e-3);
    EXPECT_NEAR(square.y + 0.76 * square.height, mouth_y, 1e-3);
  }
  const auto faces = detector->detect(picture, {{0, 0, 300, 200}, 24, 200});
  EXPECT_NEAR(faces[1].raw.width, 2.5 * 16, 1e-3);
  EXPECT_NEAR(faces[1].raw.centre_y(), 6.25 * 16, 1e-3);
  EXPECT_NEAR(faces[1].points->left_eye[0], (10 - 0.5) * 16, 1e-3);
  EXPECT_NEAR(faces[1].points->right_mouth[1], (6 + 2) * 16, 1e-3);
  DetectorSettings one;
  one.most = 1;
  EXPECT_EQ(make_face_detector((folder / "yunet.onnx").string(), one)->find_all(picture).size(), 1u);
  one.threshold = 1.5;
  EXPECT_EQ(message_of([&] { make_face_detector((folder / "yunet.onnx").string(), one); }),
            "--detector-threshold 1.5: of YuNet it is a score over 0, at most 1");
  EXPECT_TRUE(detector->find(picture, {{0, 0, 300, 200}, 24, 40}).empty()) << "larger than wanted";
  EXPECT_TRUE(detector->find(black(200, 300), {{0, 0, 300, 200}, 24, 200}).empty());
  EXPECT_TRUE(detector->find(picture, {{400, 0, 50, 50}, 24, 200}).empty()) << "outside the picture";
}

TEST(Yunet, AFaceThatIsSaidToLieBesideThePictureIsNone) {
  const ScratchFolder folder;
  auto bgr = torch::zeros({200, 300, 3}, torch::kUInt8);
  bgr.slice(0, 96, 112).slice(1, 160, 176).fill_(255);
  for (const auto& [away, faces] : {std::pair{5.0, 1u}, {30.0, 0u}, {-1e12, 0u}}) {
    write_yunet(folder / "yunet.onnx", 10, away);
    const auto detector = make_face_detector((folder / "yunet.onnx").string());
    const auto found = detector->find(make_picture(bgr), {{0, 0, 300, 200}, 24, 1000});
    EXPECT_EQ(found.size(), faces) << away;
  }
}

TEST(Yunet, LargePicturesAreShrunkAndRegionsMovedBack) {
  const ScratchFolder folder;
  write_yunet(folder / "yunet.onnx");
  const auto detector = make_face_detector((folder / "yunet.onnx").string());
  auto bgr = torch::zeros({800, 1200, 3}, torch::kUInt8);
  // A cell of 64 pixels, as the region from (100,40) is shrunk to a quarter: its row 2, column 3.
  bgr.slice(0, 40 + 128, 40 + 192).slice(1, 100 + 192, 100 + 256).fill_(255);
  const auto boxes = detector->find(make_picture(bgr), {{100, 40, 1024, 640}, 96, 800});
  ASSERT_EQ(boxes.size(), 1u);
  const Box square = face_square(boxes[0]);
  EXPECT_NEAR(square.centre_x(), 100 + 3.5 * 64, 0.1);
  EXPECT_NEAR(square.y + 0.38 * square.height, 40 + 2.25 * 64, 0.1);
}

/// As exporters leave it who know no shapes.
void drop_output_shapes(const std::filesystem::path& file) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(file)));
  for (auto& output : *model.mutable_graph()->mutable_output()) {
    output.mutable_type()->mutable_tensor_type()->clear_shape();
  }
  model.mutable_graph()->mutable_output(0)->clear_type();
  write_file(file, model.SerializeAsString());
}

TEST(Yunet, OutputsNeedNoShapes) {
  const ScratchFolder folder;
  write_yunet(folder / "yunet.onnx");
  drop_output_shapes(folder / "yunet.onnx");
  const auto detector = make_face_detector((folder / "yunet.onnx").string());
  auto bgr = torch::zeros({192, 320, 3}, torch::kUInt8);
  bgr.slice(0, 96, 112).slice(1, 160, 176).fill_(255);
  EXPECT_EQ(detector->find_all(make_picture(bgr)).size(), 1u);
}

TEST(FaceSearch, SmallFacesOfAGroupPictureAreLookedForUnlessToldOtherwise) {
  const ScratchFolder folder;
  write_yunet(folder / "yunet.onnx");
  const auto file = (folder / "yunet.onnx").string();
  const Picture group = black(1600, 2400);
  EXPECT_EQ(make_face_detector(file)->everywhere(group).smallest, 40);  // a fortieth
  EXPECT_NEAR(make_face_detector(file, {0, 1.0 / 12})->everywhere(group).smallest, 1600 / 12.0, 1e-9);
  EXPECT_EQ(make_face_detector(file, {90, 1.0 / 12})->everywhere(group).smallest, 90);
  EXPECT_EQ(make_face_detector(file)->everywhere(black(300, 400)).smallest, 24);
}

TEST(FaceSearch, SixFacesOfATwentiethOfThePictureAreFound) {
  const ScratchFolder folder;
  write_yunet(folder / "yunet.onnx");
  auto bgr = torch::zeros({1280, 1920, 3}, torch::kUInt8);
  // The search shrinks 1280 rows to 960, so that a cell of 16 pixels there is one of 21.3 here.
  for (int64_t face = 0; face < 6; ++face) {
    bgr.slice(0, 640, 640 + 21).slice(1, 128 + 256 * face, 128 + 256 * face + 21).fill_(255);
  }
  const Picture picture = make_picture(bgr);
  EXPECT_EQ(make_face_detector((folder / "yunet.onnx").string())->find_all(picture).size(), 6u);
  EXPECT_EQ(make_face_detector((folder / "yunet.onnx").string(), {0, 1.0 / 12})->find_all(picture).size(), 0u);
}

TEST(Yunet, OtherNetworksAreRefusedAtOnce) {
  const ScratchFolder folder;
  write_onnx({"other", 11, "input", {3, 640, 640}, {{"Relu", {"input"}, {}, {"y"}}}, {"y"}}, folder / "other.onnx");
  EXPECT_THAT(message_of([&] { make_face_detector((folder / "other.onnx").string()); }),
              testing::HasSubstr("is not a YuNet face detector (ONNX) that OpenCV"));
  write_yunet(folder / "few.onnx", 8);
  EXPECT_THAT(message_of([&] { make_face_detector((folder / "few.onnx").string()); }),
              testing::HasSubstr("YuNet: kps_8 has"));
}

}  // namespace

}  // namespace fercli::test
