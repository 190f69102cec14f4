#include "data/dataset.hpp"

#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using test::sample_dataset;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Split, IsFoundUnderTheUsualWords) {
  EXPECT_EQ(find_split("Training"), Split::Training);
  EXPECT_EQ(find_split("TRAIN"), Split::Training);
  EXPECT_EQ(find_split("val"), Split::PublicTest);
  EXPECT_EQ(find_split("validation"), Split::PublicTest);
  EXPECT_EQ(find_split("dev"), Split::PublicTest);
  EXPECT_EQ(find_split("test"), Split::PrivateTest);
  EXPECT_EQ(find_split("none"), Split::None);
  EXPECT_FALSE(find_split("happy").has_value());
}

TEST(Split, UnknownWordGetsASuggestion) {
  EXPECT_THAT(test::user_error([] { parse_split("PublicTst"); }),
              HasSubstr("unknown split 'PublicTst'; did you mean PublicTest?"));
}

TEST(Dataset, SelectKeepsRowsTogether) {
  const Dataset data = sample_dataset(10), chosen = data.select({7, 2});
  EXPECT_THAT(chosen.ids, ElementsAre("image-7", "image-2"));
  EXPECT_THAT(chosen.splits, ElementsAre(data.splits[7], data.splits[2]));
  EXPECT_TRUE(torch::equal(chosen.images[1], data.images[2]));
  EXPECT_EQ(chosen.labels[0].item<int64_t>(), 0);
}

TEST(Dataset, OnlyTakesOneSplit) {
  const Dataset part = sample_dataset(10).only(Split::PublicTest);
  EXPECT_THAT(part.ids, ElementsAre("image-1", "image-4", "image-7"));
}

TEST(Dataset, OnlySaysWhichSplitsThereAre) {
  const Dataset training = sample_dataset(10).only(Split::Training);
  EXPECT_EQ(test::user_error([&] { training.only(Split::PrivateTest); }),
            "sample: has no images of split PrivateTest (it has 4 of Training)");
}

TEST(Dataset, RelabelsByName) {
  const Dataset data = sample_dataset(7).relabelled(LabelSet::alphabetical());
  for (int64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(data.classes.name(data.labels[i].item<int64_t>()), LabelSet::fer2013().name(i));
  }
}

TEST(Dataset, RelabellingKeepsMissingLabels) {
  Dataset data = sample_dataset(2);
  data.labels.fill_(-1);
  EXPECT_EQ(data.relabelled(LabelSet({"Happy", "Sad"})).labels[1].item<int64_t>(), -1);
}

TEST(Dataset, RelabellingRefusesAClassThatTheTargetLacks) {
  EXPECT_THAT(test::user_error([] {
                sample_dataset(3).relabelled(LabelSet({"Angry", "Fear"}));
              }),
              HasSubstr("sample: has images of class Disgust, which is not among the classes wanted (Angry, Fear); "
                        "--map Disgust=drop leaves them out"));
  EXPECT_THAT(test::user_error([] {
                sample_dataset(3).relabelled(LabelSet({"pain", "no pain"}));
              }),
              HasSubstr("(pain, no pain); --map NAME=CLASS says which of them a class is, --data takes images"));
}

TEST(Dataset, FindsRowsThatAnotherSetLacks) {
  const Dataset data = sample_dataset(6);
  EXPECT_THAT(data.rows_not_in(data.select({5, 1, 2})), ElementsAre(0, 3, 4));
}

TEST(Dataset, RowsOfAnotherSizeAreNeverEqual) {
  EXPECT_EQ(sample_dataset(3).rows_not_in(sample_dataset(3, 1, 24)).size(), 3u);
}

TEST(Dataset, DigestSeesPixelsLabelsAndNames) {
  const Dataset data = sample_dataset(3);
  Dataset pixel = data, label = data, names = data;
  pixel.images = data.images.clone();
  pixel.images[2][0][47][47] = 255 - pixel.images[2][0][47][47].item<int>();
  label.labels = data.labels.clone();
  label.labels[0] = 6;
  names.classes = LabelSet::alphabetical();
  EXPECT_EQ(data.digest(), sample_dataset(3).digest());
  EXPECT_NE(data.digest(), pixel.digest());
  EXPECT_NE(data.digest(), label.digest());
  EXPECT_NE(data.digest(), names.digest());
}

TEST(Dataset, PixelsBecomeFloatsFromZeroToOne) {
  const torch::Tensor bytes = torch::arange(256, torch::kInt64).to(torch::kUInt8);
  const torch::Tensor floats = to_float(bytes);
  EXPECT_EQ(floats.scalar_type(), torch::kFloat32);
  EXPECT_EQ(floats[0].item<float>(), 0.0f);
  EXPECT_EQ(floats[255].item<float>(), 1.0f);
  EXPECT_TRUE(torch::equal(floats.mul(255).round().to(torch::kUInt8), bytes));
}

}  // namespace
}  // namespace fercli
