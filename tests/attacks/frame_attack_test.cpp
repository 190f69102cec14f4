#include "attacks/frame_attack.hpp"

#include "data/dataset.hpp"
#include "data/drawn/face.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

/// "Finds" one face at a place of its own choice.
class FixedDetector : public FaceDetector {
 public:
  explicit FixedDetector(std::vector<Box> boxes) : boxes_(std::move(boxes)) {}
  std::string name() const override { return "fixed"; }
  std::vector<Detection> detect(const Picture&, const FaceSearch&) override {
    std::vector<Detection> faces;
    for (const Box& box : ++calls > lost_after ? std::vector<Box>{} : boxes_) faces.push_back({box});
    return faces;
  }
  bool cheap_in_regions() const override { return false; }
  int64_t calls = 0, lost_after = 1000;

 private:
  std::vector<Box> boxes_;
};

Picture portrait() {
  FaceParameters face = random_face("Happy", Rng(4));
  face.framing = Framing::Portrait;
  return picture_of_image(draw_face(face, 160, 3));
}

/// The class that the network holds second likeliest for this face.
EmotionGoal second_class(const Classifier& classifier, const Picture& picture, const Box& box) {
  EmotionGoal goal;
  const auto crop = crop_faces(picture, {face_square(box)}, classifier.preprocessing());
  goal.target = classifier.logits(to_float(crop)).argsort(1, /*descending=*/true)[0][1].item<int64_t>();
  goal.name = "any-to-next";
  return goal;
}

constexpr Box kBox{45, 50, 70, 70};

TEST(FrameAttack, TheGradientOfTheCropIsThatOfTheChain) {
  // The crop is linear in the frame but for rounding: a change of many levels shows the gradient.
  const auto slope = uniform_rows(Rng(1), {0}, {1, 24, 24})[0];
  const Box square{10.3, 5.7, 60.2, 60.2};
  auto frame = torch::full({3, 80, 90}, 100, torch::kUInt8);
  const auto gradient = pull_back_crop(slope, square, 80, 90);
  const Preprocessing input{1, 24};
  const auto value = [&](const torch::Tensor& image) {
    const auto crop = crop_faces(picture_of_image(image), {square}, input)[0].to(torch::kFloat64);
    return (crop * slope).sum().item<double>();
  };
  auto brighter = frame.clone();
  brighter.slice(1, 20, 40).slice(2, 30, 55).fill_(200);
  const double expected = 100 * gradient.slice(1, 20, 40).slice(2, 30, 55).to(torch::kFloat64).sum().item<double>();
  EXPECT_NEAR(value(brighter) - value(frame), expected, 0.02 * std::abs(expected) + 3);
  EXPECT_EQ(gradient.slice(1, 70).abs().max().item<float>(), 0);
}

TEST(FrameAttack, TheFrameReadBackIsReadAsTheTarget) {
  const auto classifier = confident_cnn(48);
  const Picture picture = portrait();
  FixedDetector detector({kBox});
  const auto goal = second_class(classifier, picture, kBox);
  FrameAttackSettings settings;
  settings.threat = {Norm::Linf, 32 / 255.0};
  const auto found = attack_frame(classifier, detector, picture, 0, goal, settings, Rng(1));
  EXPECT_TRUE(found.after.found);
  EXPECT_TRUE(found.after.reached);
  EXPECT_EQ(read_faces(classifier, found.picture, {kBox}).front().top(), *goal.target);
  const auto change = (found.picture.bgr.to(torch::kInt32) - picture.bgr.to(torch::kInt32)).abs().max().item<int64_t>();
  EXPECT_LE(change, 32);
  EXPECT_GT(change, 0);
  EXPECT_EQ(found.shifted, 20);
}

TEST(FrameAttack, AFaceThatTheDetectorLosesIsNoSuccess) {
  const auto classifier = confident_cnn(48);
  const Picture picture = portrait();
  FixedDetector detector({kBox});
  detector.lost_after = 1;
  FrameAttackSettings settings;
  settings.steps = 3;
  settings.threat = {Norm::Linf, 32 / 255.0};
  const auto found =
      attack_frame(classifier, detector, picture, 0, second_class(classifier, picture, kBox), settings, Rng(1));
  EXPECT_FALSE(found.after.found);
  EXPECT_FALSE(found.after.reached);
}

TEST(FrameAttack, WithoutAFaceItSaysSo) {
  const auto classifier = confident_cnn(48);
  FixedDetector none({}), one({kBox});
  const EmotionGoal goal{{}, 1, "any-to-disgust"};
  EXPECT_THROW(attack_frame(classifier, none, portrait(), 0, goal, {}, Rng(1)), RunError);
  try {
    attack_frame(classifier, one, portrait(), 1, goal, {}, Rng(1));
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("one face was found in the picture, none with number 2"));
  }
}

}  // namespace

}  // namespace fercli::test
