#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"

namespace fercli {
namespace {

std::string refusal(const std::string& source) {
  try {
    read_dataset(source);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DrawnReader, DrawsTheRequestedNumberInTheRequestedShape) {
  ReadOptions options;
  options.size = 64;
  options.channels = 3;
  const Dataset data = read_dataset("synthetic:n=15", options);
  EXPECT_EQ(data.images.sizes(), torch::IntArrayRef({15, 3, 64, 64}));
  EXPECT_EQ(data.size(), 15);
}

TEST(DrawnReader, ClassesAreBalancedAndInFer2013Order) {
  const Dataset data = read_dataset("synthetic:n=21");
  EXPECT_EQ(data.classes, LabelSet::fer2013());
  EXPECT_TRUE(torch::equal(data.labels.bincount(torch::Tensor(), 7), torch::full({7}, 3, torch::kInt64)));
}

TEST(DrawnReader, NamesAndSplitsFollowTheNumberWithinTheClass) {
  const Dataset data = read_dataset("synthetic:n=20,classes=happy+sad");
  EXPECT_EQ(data.ids[6], "drawn/Happy/0003");
  EXPECT_EQ(data.ids[7], "drawn/Sad/0003");
  EXPECT_EQ(data.only(Split::Training).size(), 16);
  EXPECT_THAT(data.only(Split::PublicTest).ids, testing::ElementsAre("drawn/Happy/0008", "drawn/Sad/0008"));
  EXPECT_THAT(data.only(Split::PrivateTest).ids, testing::ElementsAre("drawn/Happy/0009", "drawn/Sad/0009"));
}

TEST(DrawnReader, APictureDependsOnlyOnSeedClassAndNumber) {
  const Dataset few = read_dataset("synthetic:n=4,seed=5,classes=sad");
  const Dataset many = read_dataset("synthetic:n=28,seed=5");
  for (int64_t i = 0; i < few.size(); ++i) {
    const auto row = std::find(many.ids.begin(), many.ids.end(), few.ids[i]) - many.ids.begin();
    EXPECT_TRUE(torch::equal(few.images[i], many.images[row])) << few.ids[i];
  }
}

TEST(DrawnReader, SeedsGiveDifferentFaces) {
  EXPECT_FALSE(torch::equal(read_dataset("synthetic:n=2,seed=1").images, read_dataset("synthetic:n=2,seed=2").images));
}

TEST(DrawnReader, FramingAndNoiseChangeThePictures) {
  const auto usual = read_dataset("synthetic:n=2").images;
  EXPECT_FALSE(torch::equal(usual, read_dataset("synthetic:n=2,framing=portrait").images));
  EXPECT_FALSE(torch::equal(usual, read_dataset("synthetic:n=2,noise=0.1").images));
}

TEST(DrawnReader, FacesDrawnAtAnotherSizeAreResized) {
  EXPECT_EQ(read_dataset("synthetic:n=1,size=96").image_size(), 48);
}

TEST(DrawnReader, ShippedFacesAreWhatTheProgramDraws) {
  const auto folder = find_shipped("faces");
  ASSERT_FALSE(folder.empty());
  const Dataset data = read_dataset("synthetic:n=70,seed=7");
  for (int64_t row = 0; row < data.size(); ++row) {
    const auto& name = data.classes.name(data.labels[row].item<int64_t>());
    const auto path = folder / name / (data.ids[row].substr(data.ids[row].rfind('/') + 1) + ".png");
    const auto difference = read_image(path, 1).to(torch::kInt32) - data.images[row].to(torch::kInt32);
    EXPECT_LE(difference.abs().max().item<int>(), 2) << path << ": run experiments/make-faces.sh again";
  }
}

TEST(DrawnReader, BadOptionsAreNamedWithWhatIsAllowed) {
  using testing::AllOf;
  using testing::HasSubstr;
  EXPECT_THAT(refusal("synthetic:faces=3"),
              AllOf(HasSubstr("unknown key 'faces'"), HasSubstr("n, seed, size, classes, noise, framing")));
  EXPECT_THAT(refusal("synthetic:n"), HasSubstr("expected key=value"));
  EXPECT_THAT(refusal("synthetic:n=0"), AllOf(HasSubstr("'n=0'"), HasSubstr("must be in [1, 1000000]")));
  EXPECT_THAT(refusal("synthetic:n=ten"), HasSubstr("not a whole number"));
  EXPECT_THAT(refusal("synthetic:size=8"), HasSubstr("must be in [16, 4096]"));
  EXPECT_THAT(refusal("synthetic:noise=2"), HasSubstr("must be in [0, 0.5]"));
  EXPECT_THAT(refusal("synthetic:framing=wide"), HasSubstr("must be crop or portrait"));
  EXPECT_THAT(refusal("synthetic:classes=joyous"), HasSubstr("joyous"));
  EXPECT_THAT(refusal("synthetic:classes=sad+triste"), HasSubstr("named twice"));
}

}  // namespace
}  // namespace fercli
