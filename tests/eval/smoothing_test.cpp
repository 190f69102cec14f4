#include "eval/smoothing.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/measures/distributions.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using test::linear_classifier;
using test::message_of;

constexpr int64_t kSide = 8;

/// Class 0 where the mean pixel is above `middle`: the plane lies |mean - middle| * side from an image.
Classifier brightness_classifier(double middle) {
  const auto weight = torch::stack({torch::ones({kSide * kSide}), torch::zeros({kSide * kSide})});
  return linear_classifier(weight, torch::tensor({-middle * kSide * kSide, 0.0}, torch::kFloat32), kSide);
}

torch::Tensor grey_images(const std::vector<int64_t>& levels) {
  std::vector<torch::Tensor> images;
  for (const int64_t level : levels) images.push_back(torch::full({1, kSide, kSide}, level, torch::kUInt8));
  return torch::stack(images);
}

Dataset labelled(const torch::Tensor& images, const std::vector<int64_t>& labels) {
  Dataset dataset;
  dataset.images = images;
  dataset.labels = torch::tensor(labels, torch::kInt64);
  dataset.classes = LabelSet({"class0", "class1"});
  dataset.splits.resize(static_cast<size_t>(dataset.labels.size(0)));
  for (size_t i = 0; i < labels.size(); ++i) dataset.ids.push_back(fmt::format("image-{}", i));
  return dataset;
}

SmoothingOptions small_options() {
  SmoothingOptions options;
  options.sigmas = {0.25};
  options.n0 = 50;
  options.n = 2000;
  return options;
}

void expect_same(const std::vector<Certificate>& a, const std::vector<Certificate>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].answer, b[i].answer);
    EXPECT_EQ(a[i].votes, b[i].votes);
    EXPECT_EQ(a[i].radius, b[i].radius);
  }
}

TEST(Smoothing, CertifiesALinearClassifierUpToItsPlane) {
  const double middle = 0.5;
  const std::vector<int64_t> levels{131, 134, 119};  // a fraction of sigma to more than sigma away
  const auto certificates = certify(brightness_classifier(middle), grey_images(levels), small_options())[0];
  for (size_t i = 0; i < levels.size(); ++i) {
    const double mean = static_cast<double>(levels[i]) / 255, distance = std::abs(mean - middle) * kSide;
    EXPECT_EQ(certificates[i].answer, mean > middle ? 0 : 1);
    EXPECT_LT(certificates[i].radius, distance);
    EXPECT_GT(certificates[i].radius, distance - 0.15 * 0.25) << "radius far below the plane";
  }
}

TEST(Smoothing, AbstainsOnThePlane) {
  const auto certificate = certify(brightness_classifier(100 / 255.0), grey_images({100}), small_options())[0][0];
  EXPECT_TRUE(certificate.abstained());
  EXPECT_EQ(certificate.radius, 0);
}

TEST(Smoothing, CannotCertifyMoreThanTheDrawsAllow) {
  const auto certificate = certify(brightness_classifier(-10), grey_images({100}), small_options())[0][0];
  EXPECT_EQ(certificate.votes, 2000);
  EXPECT_DOUBLE_EQ(certificate.radius, 0.25 * normal_quantile(std::pow(0.001, 1.0 / 2000)));
}

TEST(Smoothing, DependsOnNeitherBatchNorOrderNorCompany) {
  const auto classifier = test::confident_cnn(16);
  const auto images = test::test_images(3, 16, 0, 255);
  auto options = small_options();
  options.n = 60;
  const auto together = certify(classifier, images, options)[0];
  options.batch_size = 7;
  options.sigmas = {0.25, 0.5};
  auto reversed = certify(classifier, images.flip({0}), options)[0];
  std::reverse(reversed.begin(), reversed.end());
  expect_same(together, reversed);
}

TEST(Smoothing, CertifiesWithOtherDrawsThanThoseThatChoseTheClass) {
  auto options = small_options();
  const auto classifier = brightness_classifier(0.5);
  const auto first = certify(classifier, grey_images({131}), options)[0][0];
  options.n0 += 200;
  EXPECT_NE(first.votes, certify(classifier, grey_images({131}), options)[0][0].votes);
}

TEST(Smoothing, DrawsOtherNoiseForAnotherSeed) {
  auto options = small_options();
  const auto classifier = brightness_classifier(0.5);
  const auto first = certify(classifier, grey_images({131}), options)[0][0];
  options.seed = 1;
  EXPECT_NE(first.votes, certify(classifier, grey_images({131}), options)[0][0].votes);
}

TEST(SmoothingStudy, CountsWrongAnswersAndAbstentionsAsNotCertified) {
  const auto dataset = labelled(grey_images({200, 50, 200, 128}), {0, 1, 1, 0});
  auto options = small_options();
  options.n = 200;
  const auto study =
      Shape<SmoothedImages>::write(study_smoothing(brightness_classifier(128 / 255.0), dataset, options));
  const auto& curve = study.at("curves").at(0);
  EXPECT_EQ(curve.at("abstained"), 1);
  EXPECT_EQ(curve.at("accuracy").at("value"), 0.5);
  EXPECT_EQ(curve.at("accuracy").at("n"), 4);
  EXPECT_EQ(study.at("per_image").at(3).at("answer").at(0), nullptr);
  EXPECT_EQ(study.at("per_image").at(2).at("answer").at(0), "class0");
  EXPECT_DOUBLE_EQ(curve.at("average_certified_radius").at("value"), curve.at("largest_radius").get<double>() / 2);
  EXPECT_EQ(study.at("cost").at("forward"), 4 * 250);
}

TEST(SmoothingStudy, FallsWithTheRadiusToZero) {
  const auto dataset = labelled(grey_images({130, 132, 134, 136, 140, 180}), {0, 0, 0, 0, 0, 0});
  auto options = small_options();
  options.n = 200;
  const auto study = Shape<SmoothedImages>::write(study_smoothing(brightness_classifier(0.5), dataset, options));
  const auto& curve = study.at("curves").at(0);
  double last = 1;
  for (const auto& point : curve.at("certified_accuracy")) {
    EXPECT_LE(point.at("value"), last);
    last = point.at("value");
  }
  EXPECT_EQ(last, 0);
  EXPECT_EQ(curve.at("radius").size(), curve.at("certified_accuracy").size());
  EXPECT_EQ(curve.at("certified_accuracy").at(0), curve.at("accuracy"));
}

TEST(SmoothingStudy, SaysWhichOptionIsOutOfRange) {
  const auto classifier = brightness_classifier(0.5);
  auto options = small_options();
  options.alpha = 1;
  EXPECT_EQ(message_of([&] { certify(classifier, grey_images({1}), options); }),
            "smoothing: alpha 1: must lie between 0 and 1");
  options = small_options();
  options.sigmas = {0.25, 0};
  EXPECT_EQ(message_of([&] { certify(classifier, grey_images({1}), options); }),
            "smoothing: sigma 0: must be in (0, 10]");
  options = small_options();
  options.n0 = 0;
  EXPECT_EQ(message_of([&] { certify(classifier, grey_images({1}), options); }), "smoothing: n0 0: must be at least 1");
}

}  // namespace

}  // namespace fercli
