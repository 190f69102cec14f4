#include "data/near_duplicates.hpp"

#include <algorithm>
#include <bitset>
#include <set>

#include "data/image.hpp"
#include "data/perceptual_hash.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {
namespace {

using ::testing::IsEmpty;

/// Soft blots, of which no two are alike; larger than an image by a margin of 8 to each side.
torch::Tensor blots(int64_t seed) {
  Rng rng(static_cast<uint64_t>(seed));
  torch::Tensor small = torch::empty({1, 8, 8}, torch::kUInt8);
  for (int64_t i = 0; i < 64; ++i) small.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
  return resize_image(small, 64, 64);
}

/// uint8 (1,48,48) of the blots, whose content lies this far right and down.
torch::Tensor cut(const torch::Tensor& large, int64_t right = 0, int64_t down = 0) {
  return large.narrow(1, 8 - down, 48).narrow(2, 8 - right, 48).contiguous();
}

/// These images, with labels 0 and splits in turn.
Dataset dataset_of(const std::vector<torch::Tensor>& images) {
  Dataset data = test::sample_dataset(static_cast<int64_t>(images.size()), images[0].size(0), images[0].size(1));
  data.images = torch::stack(images);
  data.labels.fill_(0);
  return data;
}

NearReport near(const Dataset& data, double min_correlation = 0.9) {
  return find_near_duplicates(data, min_correlation, find_equal_pixels(data));
}

TEST(NearDuplicates, CopiesAreFoundWhateverWasDoneToThemAndNothingElse) {
  std::vector<torch::Tensor> images;
  for (int64_t i = 0; i < 60; ++i) images.push_back(cut(blots(i)));
  const auto floats = images[1].to(torch::kFloat32);
  images.push_back(decode_image(encode_jpeg(images[0], 40), 1, "jpeg"));                             // 60
  images.push_back((floats * 0.5 + 70).to(torch::kUInt8));                                           // 61
  images.push_back(resize_image(resize_image(images[2], 30, 30), 48, 48));                           // 62
  images.push_back(cut(blots(3), 3, -2));                                                            // 63
  images.push_back(images[4].flip({2}));                                                             // 64
  images.push_back(cut(blots(5), 2, 4).flip({2}));                                                   // 65
  images.push_back(resize_image(images[6].narrow(1, 1, 46).narrow(2, 1, 46).contiguous(), 48, 48));  // 66
  const NearReport report = near(dataset_of(images));
  ASSERT_EQ(report.pairs.size(), 7u);
  EXPECT_EQ(report.images, 14);
  EXPECT_EQ(report.mirrored, 2);
  for (int64_t i = 0; i < 7; ++i) {
    const NearPair& pair = report.pairs[static_cast<size_t>(i)];
    EXPECT_EQ(pair.first, i);
    EXPECT_EQ(pair.second, 60 + i);
    EXPECT_GT(pair.correlation, 0.9) << i;
    EXPECT_EQ(pair.mirrored, i == 4 || i == 5) << i;
  }
  EXPECT_EQ(report.pairs[3].right, 3);
  EXPECT_EQ(report.pairs[3].down, -2);
  EXPECT_EQ(report.pairs[4].correlation, 1);
  EXPECT_EQ(report.pairs[5].right, -2) << "a mirror image lies on the other side";
  EXPECT_EQ(report.pairs[5].down, 4);
}

TEST(NearDuplicates, ColourAndSizeDoNotMatter) {
  std::vector<torch::Tensor> images;
  for (int64_t i = 0; i < 12; ++i) images.push_back(convert_channels(resize_image(cut(blots(i)), 96, 96), 3));
  images[11] = resize_image(convert_channels(cut(blots(4), 2, 1), 3), 96, 96);
  images[11][2] = 255 - (255 - images[11][2]) / 2;
  const NearReport report = near(dataset_of(images));
  ASSERT_EQ(report.pairs.size(), 1u);
  EXPECT_EQ(report.pairs[0].first, 4);
  EXPECT_EQ(report.pairs[0].second, 11);
  EXPECT_EQ(report.pairs[0].right, 2);
  EXPECT_EQ(report.pairs[0].down, 1);
}

/// The largest number of images that were gone through.
class Counting : public Observer {
 public:
  void begin(const Work& work) override { most = std::max(most, work.total); }

  int64_t most = 0;
};

TEST(NearDuplicates, OfManyEqualImagesOneIsLookedAtAndEachHasThePairs) {
  std::vector<torch::Tensor> images(400, cut(blots(0)));
  images[7] = cut(blots(0), 1, 0);
  images[9] = cut(blots(1));
  const Dataset data = dataset_of(images);
  Counting counting;
  const NearReport report = find_near_duplicates(data, 0.9, find_equal_pixels(data), counting);
  EXPECT_EQ(counting.most, 3);
  EXPECT_EQ(report.images, 399);
  ASSERT_EQ(report.pairs.size(), 398u) << "each of the equal ones with image 7";
  for (const auto& pair : report.pairs) EXPECT_TRUE(pair.first == 7 || pair.second == 7);
  EXPECT_EQ(report.pairs.front().right, 1);
  EXPECT_EQ(report.pairs.back().right, -1);
}

TEST(NearDuplicates, EqualImagesAndThoseOfOneGreyAreNone) {
  std::vector<torch::Tensor> images;
  for (int64_t i = 0; i < 8; ++i) images.push_back(cut(blots(i)));
  images[5] = images[1].clone();
  images[6].fill_(90);
  images[7].fill_(91);
  EXPECT_THAT(near(dataset_of(images)).pairs, IsEmpty());
}

TEST(NearDuplicates, ALeakCountsImagesThatHaveNoEqualCopyThere) {
  std::vector<torch::Tensor> images;
  for (int64_t i = 0; i < 30; ++i) images.push_back(cut(blots(i)));
  images[1] = cut(blots(0), 1, 0);    // Training -> PublicTest
  images[4] = cut(blots(3), 0, 1);    // again
  images[7] = images[6].clone();      // equal, and
  images[9] = cut(blots(6), 2, 0);    // nearly equal to both; in Training
  images[12] = cut(blots(15), 2, 0);  // within Training
  Dataset data = dataset_of(images);
  data.labels[4] = 5;
  const NearReport report = near(data);
  ASSERT_EQ(report.leaks.size(), 1u);
  EXPECT_EQ(report.leaks[0].from, Split::PublicTest);
  EXPECT_EQ(report.leaks[0].into, Split::Training);
  EXPECT_EQ(report.leaks[0].images, 2) << "image 7 has an equal one in Training";
  EXPECT_EQ(report.leaks[0].other_label, 1);
  EXPECT_EQ(report.leaks[0].total, 10);
  EXPECT_EQ(report.shifted, 5);
  EXPECT_EQ(report.conflicting, 1);
  EXPECT_EQ(report.across_splits, 3) << "image 9 with 7";
}

TEST(NearDuplicates, ACopyWithoutALabelIsUnderNoOther) {
  std::vector<torch::Tensor> images;
  for (int64_t i = 0; i < 6; ++i) images.push_back(cut(blots(i)));
  images[1] = cut(blots(0), 1, 0);  // Training -> PublicTest
  images[4] = cut(blots(3), 0, 1);  // again
  Dataset data = dataset_of(images);
  data.labels[1] = -1;
  data.labels[3] = -1;
  const Leak leak = near(data).leaks.at(0);
  EXPECT_EQ(leak.images, 2);
  EXPECT_EQ(leak.other_label, 0);
}

TEST(NearDuplicates, TheThresholdDecides) {
  torch::Tensor mixed = cut(blots(0)).to(torch::kFloat32) * 0.9 + cut(blots(1)).to(torch::kFloat32) * 0.1;
  std::vector<torch::Tensor> images{cut(blots(0)), mixed.to(torch::kUInt8), cut(blots(2))};
  const NearReport report = near(dataset_of(images), 0.5);
  ASSERT_EQ(report.pairs.size(), 1u);
  const double correlation = report.pairs[0].correlation;
  EXPECT_EQ(near(dataset_of(images), correlation - 1e-6).pairs.size(), 1u);
  EXPECT_THAT(near(dataset_of(images), correlation + 1e-6).pairs, IsEmpty());
}

TEST(NearDuplicates, OfAVeryLargeGroupAHundredPairsOfEachImageAreKept) {
  std::vector<torch::Tensor> images;
  const torch::Tensor face = cut(blots(0));
  for (int64_t i = 0; i < 220; ++i) {
    images.push_back(face.clone());
    images.back()[0][0][i % 48] = static_cast<uint8_t>(i);
    images.back()[0][1][i / 48] = static_cast<uint8_t>(i);
  }
  const auto pairs = near(dataset_of(images)).pairs.size();
  EXPECT_LE(pairs, 220u * 100) << "there are 220 * 219 / 2";
  EXPECT_GE(pairs, 220u * 100 / 2);
}

TEST(PerceptualHash, TheIndexFindsAllThatLieWithinSevenBits) {
  Rng rng(3);
  std::vector<uint64_t> hashes;
  for (int i = 0; i < 4000; ++i) {
    uint64_t hash = i % 2 == 0 ? rng.next64() : hashes.back();
    for (int64_t k = rng.below(12); k > 0; --k) hash ^= uint64_t{1} << rng.below(64);
    hashes.push_back(hash);
  }
  const HashIndex index(hashes);
  for (int i = 0; i < 200; ++i) {
    std::vector<uint32_t> found;
    index.find(hashes[static_cast<size_t>(i)], found);
    std::set<uint32_t> wanted;
    for (uint32_t k = 0; k < hashes.size(); ++k) {
      if (std::bitset<64>(hashes[k] ^ hashes[static_cast<size_t>(i)]).count() <= 7) wanted.insert(k);
    }
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, std::vector<uint32_t>(wanted.begin(), wanted.end()));
  }
}

TEST(PerceptualHash, AMirrorImageHasTheMirroredHash) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    const torch::Tensor image = cut(blots(seed)), mirror = image.flip({2}).contiguous();
    const WindowHash own = middle_hash(image.data_ptr<uint8_t>()), other = middle_hash(mirror.data_ptr<uint8_t>());
    EXPECT_LE(std::bitset<64>(own.mirrored ^ other.hash).count(), 1u) << seed;
    EXPECT_GT(std::bitset<64>(own.hash ^ other.hash).count(), 7u) << seed;
  }
}

}  // namespace
}  // namespace fercli
