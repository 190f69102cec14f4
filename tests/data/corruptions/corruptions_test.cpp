#include "data/corruptions/corruption.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "data/formats/reader.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 48;

const Corruption& named(const std::string& name) {
  return Registry<Corruption>::instance().get(name);
}

/// Drawn, so that they are smooth where faces are.
torch::Tensor faces(int64_t n) {
  return read_dataset(fmt::format("synthetic:n={},seed=5", n), {}).images;
}

torch::Tensor flat(int64_t level, int64_t channels = 1) {
  return torch::full({1, channels, kSide, kSide}, level, torch::kUInt8);
}

std::vector<int64_t> keys_for(const torch::Tensor& images) {
  std::vector<int64_t> keys;
  for (int64_t i = 0; i < images.size(0); ++i) keys.push_back(1000 + i);
  return keys;
}

torch::Tensor corrupted(const std::string& name, const torch::Tensor& images, int64_t severity, uint64_t seed = 0) {
  return corrupt(named(name), images, severity, Rng(seed), keys_for(images));
}

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).pow(2).mean().item<double>();
}

torch::Tensor in_unit(const torch::Tensor& images) {
  return images.to(torch::kFloat64) / 255;
}

/// As a test's parameter: one of the fifteen.
class EveryCorruption : public testing::TestWithParam<std::string> {};

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const auto& corruption : common_corruptions()) names.push_back(corruption.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryCorruption, testing::ValuesIn(all_names()),
                         [](const auto& info) { return info.param; });

TEST_P(EveryCorruption, KeepsTheFormAndChangesThePicture) {
  for (const int64_t channels : {1, 3}) {
    const auto images = faces(2).expand({-1, channels, -1, -1}).contiguous();
    const auto result = corrupted(GetParam(), images, 3);
    EXPECT_EQ(result.sizes(), images.sizes());
    EXPECT_EQ(result.scalar_type(), torch::kUInt8);
    EXPECT_FALSE(torch::equal(result, images));
  }
}

TEST_P(EveryCorruption, TreatsAnImageAloneAsInCompany) {
  const auto images = faces(3);
  const auto together = corrupted(GetParam(), images, 4);
  for (int64_t i = 0; i < 3; ++i) {
    const auto alone = corrupt(named(GetParam()), images.narrow(0, i, 1), 4, Rng(0), {1000 + i});
    EXPECT_TRUE(torch::equal(alone[0], together[i]));
  }
}

TEST_P(EveryCorruption, DrawsItsNoiseFromSeedAndKey) {
  static const std::set<std::string> kWithoutNoise{"defocus_blur", "zoom_blur", "brightness",
                                                   "contrast",     "pixelate",  "jpeg_compression"};
  const auto image = faces(1);
  const bool same_for_seeds = torch::equal(corrupted(GetParam(), image, 3, 0), corrupted(GetParam(), image, 3, 1));
  const bool same_for_keys =
      torch::equal(corrupted(GetParam(), image, 3), corrupt(named(GetParam()), image, 3, Rng(0), {2}));
  EXPECT_EQ(same_for_seeds, kWithoutNoise.count(GetParam()) == 1);
  EXPECT_EQ(same_for_keys, kWithoutNoise.count(GetParam()) == 1);
}

TEST_P(EveryCorruption, MovesFartherFromThePictureWithItsSeverity) {
  // Glass and elastic trade one kind of movement for another; frost darkens the picture while it thickens.
  static const std::set<std::string> kElsewhere{"glass_blur", "elastic_transform", "frost"};
  if (kElsewhere.count(GetParam())) return;
  const auto images = faces(6);
  double last = 0;
  for (int64_t severity = 1; severity <= kSeverities; ++severity) {
    const double here = distance(corrupted(GetParam(), images, severity), images);
    EXPECT_GT(here, last) << "severity " << severity;
    last = here;
  }
}

TEST_P(EveryCorruption, RunsOnOtherSizes) {
  const auto images = torch::full({1, 3, 20, 33}, 90, torch::kUInt8);
  EXPECT_EQ(corrupted(GetParam(), images, 5).sizes(), images.sizes());
}

TEST(Corruptions, AreTheFifteenOfThePaperInItsOrder) {
  EXPECT_EQ(all_names(),
            (std::vector<std::string>{"gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur",
                                      "motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast",
                                      "elastic_transform", "pixelate", "jpeg_compression"}));
}

TEST(Corruptions, RejectASeverityOfSix) {
  EXPECT_EQ(test::message_of([] { corrupted("fog", flat(1), 6); }), "fog: severity 6: must be 1 to 5");
}

TEST(Corruptions, GaussianNoiseHasItsDeviation) {
  const auto noise = in_unit(corrupted("gaussian_noise", flat(128), 2)) - 128 / 255.0;
  EXPECT_NEAR(noise.std().item<double>(), 0.08, 0.004);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 0.006);
}

TEST(Corruptions, ShotNoiseHasThePhotonsVariance) {
  const auto noisy = in_unit(corrupted("shot_noise", flat(102), 2));  // 0.4 of white, 100 photons at white
  EXPECT_NEAR(noisy.mean().item<double>(), 0.4, 0.006);
  EXPECT_NEAR(noisy.var().item<double>(), 0.4 / 100, 0.0004);
}

TEST(Corruptions, ImpulseNoiseHitsItsShareBlackAndWhite) {
  const auto noisy = corrupted("impulse_noise", flat(128), 5);
  EXPECT_NEAR(noisy.ne(128).to(torch::kFloat64).mean().item<double>(), 0.14, 0.025);
  EXPECT_NEAR(noisy.eq(255).to(torch::kFloat64).mean().item<double>(), 0.07, 0.02);
  EXPECT_EQ(noisy.ne(128).sum().item<int64_t>(),
            noisy.eq(255).sum().item<int64_t>() + noisy.eq(0).sum().item<int64_t>());
}

TEST(Corruptions, BlursAndMovementsLeaveAFlatPictureAsItIs) {
  for (const char* name :
       {"defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform", "pixelate", "contrast"}) {
    EXPECT_TRUE(torch::equal(corrupted(name, flat(77), 5), flat(77))) << name;
  }
}

TEST(Corruptions, DefocusSpreadsAPointOverItsDisk) {
  auto image = flat(0);
  image[0][0][24][24] = 255;
  const auto spread = corrupted("defocus_blur", image, 5)[0][0];  // radius 3 * 48/64 pixels
  EXPECT_GT(spread[24][24].item<int>(), 0);
  EXPECT_GT(spread[24][26].item<int>(), 0);
  EXPECT_EQ(spread[24][28].item<int>(), 0);
  EXPECT_TRUE(torch::equal(spread.slice(0, 20, 29).slice(1, 20, 29), spread.t().slice(0, 20, 29).slice(1, 20, 29)));
}

TEST(Corruptions, BrightnessAddsToTheValueAndKeepsTheHue) {
  EXPECT_TRUE(torch::equal(corrupted("brightness", flat(51), 2), flat(102)));
  auto colour = flat(0, 3);
  colour.select(1, 0).fill_(100);
  colour.select(1, 1).fill_(50);
  const auto brighter = corrupted("brightness", colour, 2);  // value 100 to 151
  EXPECT_EQ(brighter[0][0][0][0].item<int>(), 151);
  EXPECT_NEAR(brighter[0][1][0][0].item<int>(), 75.5, 0.51);
  EXPECT_EQ(brighter[0][2][0][0].item<int>(), 0);
}

TEST(Corruptions, ContrastShrinksTheDistanceFromTheMean) {
  auto image = flat(100);
  image.slice(2, 0, kSide / 2).fill_(200);
  const auto duller = corrupted("contrast", image, 1);
  EXPECT_EQ(duller.min().item<int>(), 130);
  EXPECT_EQ(duller.max().item<int>(), 170);
}

TEST(Corruptions, FrostHidesMoreOfThePictureWithItsSeverity) {
  const auto likeness = [](const torch::Tensor& a, const torch::Tensor& b) {
    const auto x = in_unit(a) - in_unit(a).mean(), y = in_unit(b) - in_unit(b).mean();
    return ((x * y).sum() / (x.pow(2).sum() * y.pow(2).sum()).sqrt()).item<double>();
  };
  const auto image = faces(1);
  double last = 1;
  for (int64_t severity = 1; severity <= kSeverities; ++severity) {
    const double here = likeness(corrupted("frost", image, severity), image);
    EXPECT_LT(here, last) << "severity " << severity;
    last = here;
  }
}

TEST(Corruptions, GlassTakesEachPixelInsideTheBorderFromNearby) {
  auto image = torch::arange(kSide * kSide, torch::kInt64).remainder(251).to(torch::kUInt8).view({1, 1, kSide, kSide});
  const auto result = corrupted("glass_blur", image, 1)[0][0];  // sigma below a pixel's reach: nothing else happens
  EXPECT_TRUE(torch::equal(result[0], image[0][0][0]));
  EXPECT_FALSE(torch::equal(result, image[0][0]));
  const auto distinct = [](const torch::Tensor& values) {
    const auto flat = values.to(torch::kInt64).flatten().contiguous();
    return std::set<int64_t>(flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel());
  };
  const auto all = distinct(image);
  for (const int64_t value : distinct(result)) EXPECT_EQ(all.count(value), 1u);
}

TEST(Corruptions, GlassCopiesPixelsAsTheAuthorsProgramDoesSoThatSomeAreLost) {
  auto image = torch::zeros({1, 1, kSide, kSide}, torch::kUInt8);
  image.slice(2, 10, 30).slice(3, 10, 30).fill_(200);
  int64_t changes = 0;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const auto result = corrupted("glass_blur", image, 1, seed);
    changes += result.eq(200).sum().item<int64_t>() != image.eq(200).sum().item<int64_t>();
  }
  EXPECT_GT(changes, 0);  // exchanging keeps the number
}

TEST(Corruptions, PixelateKeepsPixelsThatAreAloneInTheirShareOfTheRow) {
  // 48 pixels become 43: Pillow's BOX filter gives a new pixel the mean of those whose centres it covers, here one or
  // two, and no parts of others. The picture is the column's number times 5.
  auto image = (torch::arange(kSide, torch::kInt64) * 5).to(torch::kUInt8).view({1, 1, 1, kSide});
  image = image.expand({1, 1, kSide, kSide}).contiguous();
  const auto row = corrupted("pixelate", image, 1)[0][0][7];
  // Independent: the new pixel i covers ((i) * 48/43, (i+1) * 48/43]; source centres x + 0.5 in it are averaged.
  for (int64_t x = 0; x < kSide; ++x) {
    const int64_t i = (2 * x + 1) * 43 / (2 * kSide);
    int64_t sum = 0, count = 0;
    for (int64_t from = 0; from < kSide; ++from) {
      const int64_t twice = (2 * from + 1) * 43;  // the centre, in units of 1/(2·48·…) of a new pixel
      if (twice > 2 * i * kSide && twice <= 2 * (i + 1) * kSide) {
        sum += 5 * from;
        ++count;
      }
    }
    EXPECT_EQ(row[x].item<int64_t>(), (2 * sum + count) / (2 * count)) << "column " << x;
  }
}

TEST(Corruptions, ZoomBlurTakesAsManyFactorsAsNumpysRanges) {
  // A white first column of 64. A factor z keeps the middle ceil(64 / z) columns; those of 1, 1.01, 1.02 and 1.03 begin
  // at the first, those of more do not. With the picture itself, 5 of 8, 13, 17, 22 and 27 pictures are white there.
  auto image = torch::zeros({1, 1, 64, 64}, torch::kUInt8);
  image.slice(3, 0, 1).fill_(255);
  const std::array<int64_t, 5> pictures{8, 13, 17, 22, 27};
  for (int64_t severity = 1; severity <= 5; ++severity) {
    const double share = 5.0 / static_cast<double>(pictures[static_cast<size_t>(severity - 1)]);
    EXPECT_NEAR(corrupted("zoom_blur", image, severity)[0][0][30][0].item<int>(), 255 * share, 0.51) << severity;
  }
}

TEST(Corruptions, PixelateAveragesSquaresOfTwo) {
  auto image = flat(0);
  image[0][0][0][0] = 200;
  const auto coarse = corrupted("pixelate", image, 5)[0][0];
  EXPECT_TRUE(coarse.slice(0, 0, 2).slice(1, 0, 2).eq(50).all().item<bool>());
  EXPECT_EQ(coarse.to(torch::kInt64).sum().item<int64_t>(), 200);
}

TEST(Corruptions, GreyPicturesInThreeChannelsStayGreyWhereNoNoiseIsDrawnPerChannel) {
  const auto grey = faces(1), colour = grey.expand({-1, 3, -1, -1}).contiguous();
  for (const char* name : {"snow", "frost", "fog", "brightness", "motion_blur", "elastic_transform", "glass_blur"}) {
    const auto result = corrupted(name, colour, 3);
    EXPECT_TRUE(torch::equal(result.select(1, 0), result.select(1, 2))) << name;
    const auto apart = result.select(1, 0).to(torch::kInt32) - corrupted(name, grey, 3).select(1, 0).to(torch::kInt32);
    EXPECT_LE(apart.abs().max().item<int>(), 1) << name;
  }
}

}  // namespace

}  // namespace fercli
