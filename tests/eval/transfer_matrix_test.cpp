#include "eval/transfer_matrix.hpp"

#include <gtest/gtest.h>

#include "tests/attacks/linear_network.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 8, kPixels = kSide * kSide;

/// Two classes, apart by v·x.
Classifier along(const torch::Tensor& v) {
  const auto weight = torch::stack({v, -v}).to(torch::kFloat32);
  return test::linear_classifier(weight, torch::zeros({2}), kSide);
}

/// ±1 in stripes of this width: different powers of two are orthogonal.
torch::Tensor stripes(int64_t width) {
  return (torch::arange(kPixels).remainder(2 * width).lt(width)).to(torch::kFloat32) * 2 - 1;
}

/// Images that both directions put well on the side of class 0.
Dataset bright_stripes() {
  Dataset dataset;
  const auto lift = ((stripes(1) + stripes(2)) * 4).reshape({1, 1, kSide, kSide});
  dataset.images = (test::test_images(10, kSide, 126, 130).to(torch::kFloat32) + lift).to(torch::kUInt8);
  dataset.labels = torch::zeros({10}, torch::kInt64);
  dataset.classes = LabelSet({"class0", "class1"});
  dataset.splits.resize(static_cast<size_t>(dataset.labels.size(0)));
  for (int64_t i = 0; i < 10; ++i) dataset.ids.push_back(fmt::format("image-{}", i));
  return dataset;
}

TransferMatrixOptions options() {
  TransferMatrixOptions options;
  options.eps = {"8/255", 8 / 255.0};
  options.settings.set("steps", 5);
  return options;
}

TEST(TransferMatrix, IsFullBetweenEqualModelsAndEmptyBetweenOrthogonalOnes) {
  const auto first = along(stripes(1)), twin = along(stripes(1) * 3), other = along(stripes(2));
  const auto matrix =
      study_transfer({{"first", &first}, {"twin", &twin}, {"other", &other}}, bright_stripes(), options());
  const auto value = [&](size_t maker, size_t judge) { return matrix.success.at(maker).at(judge).value; };
  EXPECT_EQ(matrix.n, 10);
  for (const size_t i : {0, 1, 2}) EXPECT_EQ(value(i, i), 1);
  EXPECT_EQ(value(0, 1), 1);
  EXPECT_EQ(value(1, 0), 1);
  EXPECT_EQ(value(0, 2), 0);
  EXPECT_EQ(value(2, 0), 0);
  EXPECT_EQ(matrix.models, (std::vector<std::string>{"first", "twin", "other"}));
}

TEST(TransferMatrix, CountsOnlyImagesThatEveryModelGetsRight) {
  const auto first = along(stripes(1)), other = along(stripes(2));
  auto dataset = bright_stripes();
  dataset.images[4] = 255 - dataset.images[4];
  dataset.labels[5] = 1;
  EXPECT_EQ(study_transfer({{"first", &first}, {"other", &other}}, dataset, options()).n, 8);
}

TEST(TransferMatrix, NamesTheModelWithOtherClasses) {
  const auto first = along(stripes(1));
  const auto three = test::linear_classifier(torch::ones({3, kPixels}), torch::zeros({3}), kSide);
  EXPECT_EQ(test::message_of([&] {
              study_transfer({{"a", &first}, {"b", &three}}, bright_stripes(), options());
            }),
            "transfer matrix: b has the classes class0, class1, class2, a has class0, class1");
}

}  // namespace

}  // namespace fercli
