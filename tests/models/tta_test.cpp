// Test-time augmentation: which views are averaged, and that attacks see through them.
#include <ATen/ATen.h>

#include "tests/attacks/linear_network.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 48, kCrop = 44;

class TtaTest : public testing::Test {
 protected:
  torch::Tensor view(int64_t top, int64_t left) const {
    const auto crop = x_.slice(2, top, top + kCrop).slice(3, left, left + kCrop);
    return at::upsample_bilinear2d(crop, {kSide, kSide}, /*align_corners=*/false);
  }

  Classifier plain_ = confident_cnn(kSide);
  torch::Tensor x_ = to_float(test_images(3, kSide, 0, 255));
};

TEST_F(TtaTest, FlipAveragesTheLogitsOfTheImageAndItsMirrorImage) {
  const auto expected = (plain_.logits(x_) + plain_.logits(x_.flip({3}))) / 2;
  EXPECT_TRUE(plain_.with_tta(Tta::Flip).logits(x_).allclose(expected, 1e-5, 1e-4));
}

TEST_F(TtaTest, TenCropAveragesTheFourCornersTheCentreAndTheirMirrorImages) {
  const int64_t far = kSide - kCrop;
  auto expected = torch::zeros({x_.size(0), 7});
  for (const auto& [top, left] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 0}, {0, far}, {far, 0}, {far, far}, {far / 2, far / 2}}) {
    expected += plain_.logits(view(top, left)) + plain_.logits(view(top, left).flip({3}));
  }
  EXPECT_TRUE(plain_.with_tta(Tta::TenCrop).logits(x_).allclose(expected / 10, 1e-5, 1e-4));
  EXPECT_FALSE(plain_.logits(x_).allclose(expected / 10, 1e-3, 1e-3));
}

TEST_F(TtaTest, AMirrorImageGetsTheSameLogits) {
  for (const Tta tta : {Tta::Flip, Tta::TenCrop}) {
    const auto classifier = plain_.with_tta(tta);
    EXPECT_TRUE(classifier.logits(x_).allclose(classifier.logits(x_.flip({3})), 1e-5, 1e-4)) << to_string(tta);
  }
}

TEST_F(TtaTest, GradientsGoThroughEveryView) {
  const auto classifier = plain_.with_tta(Tta::TenCrop);
  const auto direction = torch::ones({x_.size(0), 7}).cumsum(1);
  const auto gradient = classifier.linearize(x_).pullback(direction);
  // Along the gradient itself the logits change most: central differences find its squared length.
  const double h = 1e-2 / gradient.abs().max().item<double>();
  const auto rise = ((classifier.logits(x_ + h * gradient) - classifier.logits(x_ - h * gradient)) * direction).sum(1);
  EXPECT_TRUE((rise / (2 * h)).allclose(gradient.square().flatten(1).sum(1), 0.05));
}

TEST_F(TtaTest, AnUnknownKindIsNamed) {
  EXPECT_EQ(message_of([] { parse_tta("five-crop"); }), "--tta five-crop: must be none, flip or ten-crop");
}

}  // namespace

}  // namespace fercli::test
