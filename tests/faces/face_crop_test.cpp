#include "faces/face_crop.hpp"

namespace fercli {
namespace {

torch::Tensor ramp(int64_t height, int64_t width) {
  return torch::arange(height * width).remainder(251).to(torch::kUInt8).view({1, height, width});
}

TEST(FaceCrop, WholePictureAtItsOwnSizeKeepsItsPixels) {
  const auto picture = ramp(48, 48);
  EXPECT_TRUE(torch::equal(crop_square(picture, {0, 0, 48, 48}, 48), picture));
}

TEST(FaceCrop, ShrinkingAveragesTheArea) {
  const auto picture = torch::tensor({0, 2, 10, 10, 4, 6, 10, 10, 0, 0, 8, 8, 0, 0, 8, 8}).to(torch::kUInt8);
  const auto crop = crop_square(picture.view({1, 4, 4}), {0, 0, 4, 4}, 2);
  EXPECT_TRUE(torch::equal(crop.flatten(), torch::tensor({3, 10, 0, 8}).to(torch::kUInt8)));
}

TEST(FaceCrop, BeyondTheBorderThePixelsRepeat) {
  const auto picture = torch::full({1, 10, 10}, 77, torch::kUInt8);
  for (const Box& square : {Box{-8, -8, 12, 12}, Box{6, 3, 12, 12}, Box{30, 30, 5, 5}}) {
    EXPECT_TRUE(crop_square(picture, square, 6).eq(77).all().item<bool>());
  }
}

TEST(FaceCrop, IsTheLinearMapOfItsMatrices) {
  const auto picture = ramp(40, 60);
  for (const Box& square : {Box{5.3, 2.7, 31.4, 31.4}, Box{-4, 10, 20, 20}, Box{20, 20, 9, 9}}) {
    const auto rows = resampling_matrix(square.y, square.height, 40, 16);
    const auto columns = resampling_matrix(square.x, square.width, 60, 16);
    const auto expected = rows.mm(picture[0].to(torch::kFloat32)).mm(columns.t());
    const auto crop = crop_square(picture, square, 16)[0].to(torch::kFloat32);
    EXPECT_LE((crop - expected).abs().max().item<float>(), 0.501f);
    EXPECT_LE((rows.sum(1) - 1).abs().max().item<float>(), 1e-5f);
  }
}

TEST(FaceCrop, TheMemoryLayoutDoesNotMatter) {
  const auto planes = torch::cat({ramp(30, 30), ramp(30, 30) / 2, ramp(30, 30) / 3}).to(torch::kUInt8).contiguous();
  const auto interleaved = planes.permute({1, 2, 0}).contiguous().permute({2, 0, 1});
  const Box square{3.5, 4.5, 20, 20};
  EXPECT_TRUE(torch::equal(crop_square(planes, square, 12), crop_square(interleaved, square, 12)));
}

TEST(FaceCrop, EmptySquaresAreRefused) {
  EXPECT_THROW(crop_square(ramp(10, 10), {1, 1, 0, 0}, 4), std::invalid_argument);
}

TEST(FaceCrop, OverlapIsSharedOverJointArea) {
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 2, 2}, {1, 0, 2, 2}), 2.0 / 6);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 2, 2}, {2, 0, 2, 2}), 0);
}

}  // namespace
}  // namespace fercli
