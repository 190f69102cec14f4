// Attacks that learn one thing for many images.
#include "attacks/patch.hpp"
#include "attacks/threat/losses.hpp"
#include "attacks/universal.hpp"
#include "data/image.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16, kImages = 8;

/// Two classes, all images in class 0; margins so wide that no perturbation here closes them.
struct Linear {
  torch::Tensor images = test_images(kImages, kSide, 100, 150);
  torch::Tensor weight = uniform_rows(Rng(5), {0, 1}, {kSide * kSide});
  torch::Tensor normal = weight[0] - weight[1];
  Classifier classifier = linear_classifier(weight, torch::tensor({60.0f, 0.0f}), kSide);
  Goal goal = Goal::targeted(torch::ones({kImages}, torch::kInt64));
};

UniversalSettings in_steps(int64_t steps, int64_t images_per_step) {
  UniversalSettings settings;
  settings.steps = steps;
  settings.images_per_step = images_per_step;
  return settings;
}

TEST(Universal, InLinfTheLinearAnswerIsEpsTimesTheSignOfTheWeights) {
  const Linear linear;
  const auto found =
      learn_universal(linear.classifier, {Norm::Linf, 3 / 255.0}, in_steps(20, 4), linear.images, linear.goal, Rng(1));
  EXPECT_TRUE(found.levels.flatten().equal((linear.normal.sign() * -3).to(torch::kInt16)));
}

TEST(Universal, InL2TheLinearAnswerPointsAlongTheWeights) {
  const Linear linear;
  const auto found =
      learn_universal(linear.classifier, {Norm::L2, 2}, in_steps(20, 4), linear.images, linear.goal, Rng(1));
  const auto levels = found.levels.flatten().to(torch::kFloat32);
  const double length = levels.norm().item<double>() / 255;
  EXPECT_LE(length, 2 + 1e-6);
  EXPECT_GT(length, 1.98);
  const double cosine =
      -levels.dot(linear.normal).item<double>() / (levels.norm() * linear.normal.norm()).item<double>();
  EXPECT_GT(cosine, 0.999);
}

TEST(Universal, AMaskHoldsAndTheBatchSizeOfTheNetworkChangesNothing) {
  const auto classifier = confident_cnn(kSide);
  const auto images = test_images(12, kSide, 0, 255);
  const auto goal = Goal::untargeted(classifier.logits(to_float(images)).argmax(1));
  UniversalSettings settings = in_steps(10, 5);
  settings.mask = torch::zeros({1, kSide, kSide});
  settings.mask.slice(1, 2, 9).fill_(1);
  const ThreatModel threat{Norm::Linf, 8 / 255.0};
  const auto first = learn_universal(classifier, threat, settings, images, goal, Rng(1));
  EXPECT_TRUE(first.levels.masked_select(settings.mask.eq(0)).eq(0).all().item<bool>());
  EXPECT_LE(first.levels.abs().max().item<int64_t>(), 8);
  EXPECT_TRUE(first.levels.ne(0).any().item<bool>());
  EXPECT_TRUE(first.levels.equal(learn_universal(classifier, threat, settings, images, goal, Rng(1)).levels));
  EXPECT_FALSE(first.levels.equal(learn_universal(classifier, threat, settings, images, goal, Rng(2)).levels));
}

TEST(Universal, TheNoiseOfItsSizeStaysInItsMask) {
  const ScratchFolder folder;
  for (const Norm norm : {Norm::Linf, Norm::L2}) {
    UniversalPerturbation made{torch::zeros({1, kSide, kSide}, torch::kInt16), norm, 0.1, "any-to-sad", "m", "d"};
    made.mask = torch::zeros({1, kSide, kSide});
    made.mask.slice(1, 2, 9).fill_(1);
    save_universal(made, folder / "u.pt");
    const auto noise = random_levels(load_universal(folder / "u.pt"), Rng(1));
    EXPECT_TRUE(noise.masked_select(made.mask.eq(0)).eq(0).all().item<bool>()) << to_string(norm);
    EXPECT_TRUE(noise.masked_select(made.mask.gt(0)).ne(0).any().item<bool>()) << to_string(norm);
  }
}

TEST(Universal, TurnsMoreImagesThanANoiseOfItsSize) {
  const auto classifier = confident_cnn(kSide);
  const auto images = test_images(60, kSide, 0, 255);
  const auto goal = Goal::untargeted(classifier.logits(to_float(images)).argmax(1));
  const auto found = learn_universal(classifier, {Norm::Linf, 10 / 255.0}, in_steps(40, 20), images, goal, Rng(1));
  const auto turned = [&](const torch::Tensor& levels) {
    return goal.reached(classifier.logits(to_float(add_universal(images, levels)))).sum().item<int64_t>();
  };
  EXPECT_GT(turned(found.levels), 2 * turned(random_levels(found, Rng(3))));
}

TEST(Universal, IsSavedAndLoaded) {
  const ScratchFolder folder;
  UniversalPerturbation made{
      torch::arange(-128, 128, torch::kInt16).view({1, 16, 16}), Norm::L2, 5, "any-to-sad", "m", "d"};
  save_universal(made, folder / "u.pt");
  const auto read = load_universal(folder / "u.pt");
  EXPECT_TRUE(read.levels.equal(made.levels));
  EXPECT_EQ(read.norm, Norm::L2);
  EXPECT_EQ(read.eps, 5);
  EXPECT_EQ(read.goal, "any-to-sad");
  EXPECT_TRUE((read_image(folder / "u.png", 1).to(torch::kInt16) - 128).equal(made.levels));
  EXPECT_NE(message_of([&] { load_universal(folder / "u.png"); }), "");
}

TEST(Universal, OneThatIsLargerThanItStatesIsRefused) {
  const ScratchFolder folder;
  UniversalPerturbation made{
      torch::full({1, 16, 16}, -3, torch::kInt16), Norm::Linf, 3 / 255.0, "any-to-sad", "m", "d"};
  save_universal(made, folder / "u.pt");
  EXPECT_EQ(message_of([&] { load_universal(folder / "u.pt"); }), "");
  made.levels[0][2][5] = 4;
  save_universal(made, folder / "u.pt");
  EXPECT_THAT(message_of([&] { load_universal(folder / "u.pt"); }), testing::HasSubstr("larger than the eps"));
}

TEST(Universal, NeedsImages) {
  const Linear linear;
  EXPECT_THAT(message_of([&] {
                learn_universal(linear.classifier, {Norm::Linf, 0.1}, {}, torch::zeros({0, 1, 16, 16}, torch::kUInt8),
                                Goal::untargeted(torch::zeros({0}, torch::kInt64)), Rng(1));
              }),
              testing::HasSubstr("no images"));
}

std::vector<int64_t> keys(int64_t n) {
  std::vector<int64_t> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(i);
  return index;
}

TEST(Patch, WithoutSpreadItIsLaidDownPixelByPixel) {
  const PlacementSpread still{0, 0, 0, 0};
  const auto images = test_images(3, 48, 0, 255);
  Patch patch = random_patch(blank_patch("glasses", 1, 48), Rng(2));
  const auto worn = wear(patch, images, still, Rng(1), keys(3));
  const auto expected = torch::where(patch.cover.gt(0), patch.pixels.unsqueeze(0), images);
  EXPECT_TRUE(worn.equal(expected));
}

TEST(Patch, PlacementsDifferByImageAndAreKeyed) {
  const auto images = test_images(1, 48, 0, 255).expand({3, -1, -1, -1}).contiguous();
  const Patch patch = random_patch(blank_patch("sticker", 1, 48), Rng(2));
  const auto worn = wear(patch, images, {}, Rng(1), keys(3));
  EXPECT_FALSE(worn[0].equal(worn[1]));
  EXPECT_TRUE(wear(patch, images.narrow(0, 0, 1), {}, Rng(1), {2})[0].equal(worn[2]));
  const auto changed = worn.ne(images).to(torch::kFloat32).mean().item<double>();
  EXPECT_GT(changed, 0.03);
  EXPECT_LT(changed, 0.09);
}

TEST(Patch, TheLinearAnswerIsBlackOrWhiteWhereTheWeightsSaySo) {
  const int64_t side = 48;
  const auto weight = uniform_rows(Rng(5), {0, 1}, {side * side});
  const auto classifier = linear_classifier(weight, torch::tensor({500.0f, 0.0f}), side);
  PatchSettings settings;
  settings.steps = 60;
  settings.spread = {0, 0, 0, 0};
  const auto found = learn_patch(classifier, "band", settings, test_images(4, side, 0, 255),
                                 Goal::targeted(torch::ones({4}, torch::kInt64)), Rng(1));
  const auto expected = torch::where((weight[0] - weight[1]).view({1, side, side}).lt(0),
                                     torch::full({1}, 255, torch::kUInt8), torch::zeros({1}, torch::kUInt8));
  const auto covered = found.cover.gt(0).unsqueeze(0);
  EXPECT_TRUE(found.pixels.masked_select(covered).equal(expected.masked_select(covered)));
}

TEST(Patch, BringsTheNetworkNearerToTheGoalThanARandomOne) {
  const auto classifier = confident_cnn(48);
  const auto images = test_images(20, 48, 0, 255);
  const auto goal = Goal::untargeted(classifier.logits(to_float(images)).argmax(1));
  PatchSettings settings;
  settings.steps = 20;
  settings.images_per_step = 10;
  const auto found = learn_patch(classifier, "glasses", settings, images, goal, Rng(1));
  const auto margin = [&](const Patch& patch) {
    const auto worn = wear(patch, images, settings.spread, Rng(9), keys(20));
    return margin_loss(classifier.logits(to_float(worn)), goal).value.mean().item<double>();
  };
  EXPECT_LT(margin(found), margin(random_patch(found, Rng(3))));
  EXPECT_LT(margin(found), margin(blank_patch("glasses", 1, 48)));
}

/// A packed data set may hold such images, and a foreign network may take them.
TEST(Patch, ImagesThatAreNotSquareAreRefused) {
  const auto images = torch::zeros({2, 1, 48, 32}, torch::kUInt8);
  EXPECT_THAT(message_of([&] {
                learn_patch(confident_cnn(48), "glasses", {}, images,
                            Goal::untargeted(torch::zeros({2}, torch::kInt64)), Rng(1));
              }),
              testing::HasSubstr("48x32"));
}

TEST(Patch, UnknownShapesAreReported) {
  EXPECT_THAT(message_of([] { blank_patch("glases", 1, 48); }), testing::HasSubstr("did you mean glasses?"));
}

}  // namespace

}  // namespace fercli::test
