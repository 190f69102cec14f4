#include "data/drawn/face.hpp"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "core/error.hpp"
#include "data/image.hpp"
#include "data/label_set.hpp"

namespace fercli {
namespace {

FaceParameters example(const std::string& emotion, uint64_t number = 0) {
  return random_face(emotion, Rng(11).split(emotion).split(number));
}

/// Mean absolute difference in grey levels.
double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kFloat32) - b.to(torch::kFloat32)).abs().mean().item<double>();
}

/// Nothing hides another feature: bare mouth and eyes, some light from the side.
FaceParameters plain_face() {
  FaceParameters face;
  face.identity.facial_hair = 0.3;
  face.identity.glasses = 0.5;
  face.expression.mouth.opening = 0.6;
  face.expression.mouth.teeth = 0.3;
  face.expression.mouth.lower_teeth = 0.2;
  face.camera.background = 0.5;
  return face;
}

bool detector_finds(cv::CascadeClassifier& detector, const torch::Tensor& grey) {
  const auto side = static_cast<int>(grey.size(1));
  const cv::Mat image(side, side, CV_8U, grey.data_ptr<uint8_t>());
  std::vector<cv::Rect> found;
  detector.detectMultiScale(image, found, 1.1, 3, 0, {side / 5, side / 5});
  return !found.empty();
}

/// Number of faces found among `per_class` of each emotion.
template <class Draw>
int faces_found(int per_class, Draw draw) {
  cv::CascadeClassifier detector("/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml");
  if (detector.empty()) return -1;
  int found = 0;
  for (const auto& emotion : emotions()) {
    for (int i = 0; i < per_class; ++i) found += detector_finds(detector, draw(example(emotion.name, i)));
  }
  return found;
}

TEST(DrawnFace, HasTheRequestedShape) {
  for (const int64_t size : {48, 100}) {
    for (const int64_t channels : {1, 3}) {
      const auto image = draw_face(example("Happy"), size, channels);
      EXPECT_EQ(image.sizes(), torch::IntArrayRef({channels, size, size}));
      EXPECT_EQ(image.scalar_type(), torch::kUInt8);
    }
  }
}

TEST(DrawnFace, SameParametersGiveTheSamePixels) {
  EXPECT_TRUE(torch::equal(draw_face(example("Fear"), 64, 3), draw_face(example("Fear"), 64, 3)));
}

TEST(DrawnFace, PixelsDoNotDependOnTheNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = draw_face(example("Angry"), 300, 1);
  at::set_num_threads(2);
  const auto together = draw_face(example("Angry"), 300, 1);
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(alone, together));
}

TEST(DrawnFace, DifferentKeysGiveDifferentPeople) {
  EXPECT_GT(difference(draw_face(example("Neutral", 0), 48, 1), draw_face(example("Neutral", 1), 48, 1)), 5);
}

TEST(DrawnFace, EmotionsOfOnePersonDiffer) {
  const FaceParameters person = example("Neutral", 3);
  std::vector<torch::Tensor> pictures;
  for (const auto& emotion : emotions()) pictures.push_back(draw_face(with_expression(person, emotion.name), 48, 1));
  for (size_t i = 0; i < pictures.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_GT(difference(pictures[i], pictures[j]), 1) << emotions()[i].name << " and " << emotions()[j].name;
    }
  }
}

TEST(DrawnFace, EveryParameterHasAnEffect) {
  for (const auto& field : face_fields()) {
    FaceParameters low = plain_face(), high = plain_face();
    field.of(low) = field.low;
    field.of(high) = field.high;
    EXPECT_GT(difference(draw_face(low, 48, 3), draw_face(high, 48, 3)), 0.01) << field.name;
  }
}

TEST(DrawnFace, EveryHairStyleIsDifferent) {
  std::vector<torch::Tensor> pictures;
  for (int style = 0; style < kHairStyles; ++style) {
    FaceParameters face = plain_face();
    face.framing = Framing::Portrait;
    face.identity.hair = static_cast<HairStyle>(style);
    pictures.push_back(draw_face(face, 64, 1));
    for (int other = 0; other < style; ++other) {
      EXPECT_GT(difference(pictures[other], pictures[style]), 0.5) << other << " and " << style;
    }
  }
}

TEST(DrawnFace, GreyIsTheLuminanceOfColour) {
  FaceParameters face = plain_face();
  face.camera.noise = 0;
  const auto rgb = draw_face(face, 64, 3).to(torch::kFloat32);
  const auto grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  EXPECT_LT((grey - draw_face(face, 64, 1)[0].to(torch::kFloat32)).abs().median().item<float>(), 1);
}

TEST(DrawnFace, NumbersOutsideTheirIntervalAreTakenToItsEnd) {
  for (const auto& field : face_fields()) {
    FaceParameters end = plain_face(), beyond = plain_face();
    field.of(end) = field.high;
    field.of(beyond) = field.high + 100;
    EXPECT_TRUE(torch::equal(draw_face(end, 32, 1), draw_face(beyond, 32, 1))) << field.name;
  }
}

TEST(DrawnFace, BlendStartsAtOneFaceAndEndsAtTheOther) {
  const auto a = example("Happy"), b = example("Sad");
  EXPECT_TRUE(torch::equal(draw_face(blend(a, b, 0), 48, 1), draw_face(a, 48, 1)));
  EXPECT_TRUE(torch::equal(draw_face(blend(a, b, 1), 48, 1), draw_face(b, 48, 1)));
}

TEST(DrawnFace, BlendGoesThroughTheMiddle) {
  const auto a = example("Happy"), b = example("Sad");
  EXPECT_DOUBLE_EQ(blend(a, b, 0.5).expression.mouth.corner_lift,
                   (a.expression.mouth.corner_lift + b.expression.mouth.corner_lift) / 2);
}

TEST(DrawnFace, ExpressionLeavesThePersonAlone) {
  const FaceParameters person = example("Happy", 2);
  const FaceParameters sad = with_expression(person, "sad");
  EXPECT_EQ(sad.identity.head_width, person.identity.head_width);
  EXPECT_EQ(sad.identity.hair, person.identity.hair);
  EXPECT_EQ(sad.texture, person.texture);
  EXPECT_LT(sad.expression.mouth.corner_lift, 0);
}

TEST(DrawnFace, IntensityZeroIsTheNeutralFace) {
  const FaceParameters person = example("Happy", 2);
  EXPECT_TRUE(torch::equal(draw_face(with_expression(person, "Angry", 0), 48, 1),
                           draw_face(with_expression(person, "Neutral"), 48, 1)));
}

TEST(DrawnFace, UnknownEmotionIsRefusedWithTheKnownOnes) {
  try {
    random_face("Hapy", Rng(1));
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("'Hapy'"), testing::HasSubstr("did you mean Happy?")));
  }
}

TEST(DrawnFace, ImpossibleShapesAreRefused) {
  EXPECT_THROW(draw_face({}, 8, 1), UserError);
  EXPECT_THROW(draw_face({}, 48, 2), UserError);
}

TEST(DrawnFace, HaarDetectorFindsPortraits) {
  const int found = faces_found(3, [](FaceParameters face) {
    face.framing = Framing::Portrait;
    return draw_face(face, 144, 1);
  });
  ASSERT_GE(found, 0) << "the package opencv-data is not installed";
  EXPECT_GE(found, 19) << "of 21";
}

TEST(DrawnFace, HaarDetectorFindsEnlargedCrops) {
  const int found =
      faces_found(3, [](const FaceParameters& face) { return resize_image(draw_face(face, 48, 1), 192, 192); });
  ASSERT_GE(found, 0) << "the package opencv-data is not installed";
  EXPECT_GE(found, 19) << "of 21";
}

}  // namespace
}  // namespace fercli
