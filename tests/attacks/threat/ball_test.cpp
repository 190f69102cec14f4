#include "attacks/threat/ball.hpp"

#include "core/error.hpp"
#include "eval/measures/image_quality.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kImages = 5, kSide = 16;

torch::Tensor originals() {
  return to_float(test_images(kImages, kSide, 0, 255));
}

torch::Tensor eps_of(double eps) {
  return torch::full({kImages}, eps, torch::kFloat64);
}

const std::vector<int64_t> kIndex{10, 11, 12, 13, 14};

TEST(BallTest, LinfRoundingIsToTheNearestLevelInsideTheBox) {
  const auto x = torch::full({1, 1, 1, 4}, 100 / 255.0f);
  const Ball ball(Norm::Linf, x, torch::full({1}, 2.5 / 255, torch::kFloat64), true);
  const auto shown = ball.exportable(torch::tensor({100.6f, 102.5f, 97.5f, 99.4f}).view({1, 1, 1, 4}) / 255);
  EXPECT_TRUE((shown * 255).round().flatten().equal(torch::tensor({101.0f, 102.0f, 98.0f, 99.0f})));
}

TEST(BallTest, EpsOfAWholeNumberOfLevelsKeepsThemAll) {
  for (int64_t level = 1; level <= 64; ++level) {
    const auto x = torch::full({1, 1, 1, 1}, 100 / 255.0f);
    const Ball ball(Norm::Linf, x, torch::full({1}, static_cast<double>(level) / 255, torch::kFloat64), true);
    EXPECT_EQ((ball.exportable(ball.project(x + 1)) * 255).round().item<float>(), 100.0f + static_cast<float>(level));
  }
}

TEST(BallTest, L2RoundingStaysInsideTheBallAndMovesNoPixelFurtherThanRoundingWould) {
  const auto x = originals();
  for (const double eps : {0.003, 0.02, 0.1, 0.5, 2.0}) {
    const Ball ball(Norm::L2, x, eps_of(eps), true);
    const auto point = ball.random_point(Rng(3), kIndex);
    const auto shown = ball.exportable(point);
    EXPECT_LE(ball.distance(shown).max().item<double>(), eps + 1e-6);
    EXPECT_LT((shown - point).abs().max().item<double>(), 1.0 / 255 + 1e-6);
    EXPECT_TRUE((shown * 255).sub((shown * 255).round()).abs().lt(1e-4).all().item<bool>());
  }
}

TEST(BallTest, OnThePixelGridNoNormIsExceededByAnything) {
  const auto x = originals();
  for (const auto& [norm, eps] :
       {std::pair{Norm::L2, 0.9001}, std::pair{Norm::L2, 0.5}, std::pair{Norm::L2, 0.0123}, std::pair{Norm::L1, 0.9001},
        std::pair{Norm::L1, 3.3}, std::pair{Norm::Linf, 5.1 / 255}, std::pair{Norm::Linf, 0.031}}) {
    const Ball ball(norm, x, eps_of(eps), true);
    const auto point = ball.project(x + normal_rows(Rng(3), kIndex, {1, kSide, kSide}));
    const auto shown = ball.exportable(point);
    EXPECT_LE(distances(shown, x, norm, true).max().item<double>(), eps) << to_string(norm) << " " << eps;
    EXPECT_TRUE(ball.contains(shown).all().item<bool>());
  }
}

TEST(BallTest, AnImageOneSquaredLevelOutsideIsOutside) {
  // 3 and 4 levels: 5 levels in L2; with another value at 1, the square root of 26.
  const auto x = to_float(torch::full({1, 1, 1, 3}, 100, torch::kUInt8));
  const Ball ball(Norm::L2, x, torch::full({1}, 5 / 255.0, torch::kFloat64), true);
  EXPECT_TRUE(
      ball.contains(to_float(torch::tensor({103, 104, 100}).to(torch::kUInt8).view({1, 1, 1, 3}))).item<bool>());
  EXPECT_FALSE(
      ball.contains(to_float(torch::tensor({103, 104, 101}).to(torch::kUInt8).view({1, 1, 1, 3}))).item<bool>());
}

TEST(BallTest, L2RepairUsesTheBallAsFarAsItReaches) {
  const Ball ball(Norm::L2, originals(), eps_of(1.0), true);
  const auto shown = ball.exportable(ball.project(ball.random_point(Rng(3), kIndex)));
  EXPECT_GT(ball.distance(shown).min().item<double>(), 0.8);
}

TEST(BallTest, AnIntegerPointInsideIsExportedAsItIs) {
  const auto x = originals();
  const auto point = (x + 2 / 255.0).clamp_max(1);
  for (const Norm norm : {Norm::Linf, Norm::L2}) {
    const Ball ball(norm, x, eps_of(norm == Norm::Linf ? 2 / 255.0 : 1.0), true);
    EXPECT_TRUE((ball.exportable(point) * 255).round().equal((point * 255).round()));
  }
}

TEST(BallTest, RandomPointsFillTheBallAndDependOnTheirKeyAlone) {
  const auto x = torch::full({kImages, 1, kSide, kSide}, 0.5f);
  for (const Norm norm : {Norm::Linf, Norm::L2}) {
    const Ball ball(norm, x, eps_of(0.1), false);
    const auto points = ball.random_point(Rng(3), kIndex);
    EXPECT_LE(ball.distance(points).max().item<double>(), 0.1 + 1e-6);
    EXPECT_GT(ball.distance(points).min().item<double>(), 0.09);
    const auto rows = torch::tensor({3});
    EXPECT_TRUE(ball.select(rows).random_point(Rng(3), {kIndex[3]}).equal(points.index_select(0, rows)));
    EXPECT_FALSE(ball.random_point(Rng(4), kIndex).equal(points));
  }
}

TEST(BallTest, AGradientOfZeroOrNanMovesNothing) {
  const auto x = originals();
  for (const Norm norm : {Norm::Linf, Norm::L2}) {
    const Ball ball(norm, x, eps_of(0.1), true);
    EXPECT_TRUE(ball.step(x, torch::zeros_like(x), eps_of(0.05)).equal(x));
    EXPECT_TRUE(ball.step(x, torch::full_like(x, std::numeric_limits<float>::quiet_NaN()), eps_of(0.05)).equal(x));
  }
}

TEST(BallTest, ImagesOffThePixelGridAreRefused) {
  EXPECT_THROW(Ball(Norm::Linf, torch::full({1, 1, 2, 2}, 0.3137f), eps_of(0.1), true), UserError);
}

TEST(ImageQualityTest, EqualImagesHaveInfinitePsnrAndSsimOne) {
  const auto x = originals();
  EXPECT_TRUE(psnr(x, x).isinf().all().item<bool>());
  EXPECT_TRUE(ssim(x, x).sub(1).abs().lt(1e-12).all().item<bool>());
}

TEST(ImageQualityTest, PsnrOfAConstantDifferenceIsKnown) {
  const auto x = torch::full({1, 1, kSide, kSide}, 0.5f);
  EXPECT_NEAR(psnr(x, x + 0.1f).item<double>(), 20.0, 1e-5);
}

TEST(ImageQualityTest, SsimOfFlatImagesIsTheLuminanceTerm) {
  const auto x = torch::full({1, 1, kSide, kSide}, 0.4f), y = torch::full({1, 1, kSide, kSide}, 0.6f);
  EXPECT_NEAR(ssim(x, y).item<double>(), (2 * 0.4 * 0.6 + 1e-4) / (0.4 * 0.4 + 0.6 * 0.6 + 1e-4), 1e-6);
}

TEST(ImageQualityTest, SsimFallsWithNoiseAndIsSymmetric) {
  const auto x = originals();
  const auto noise = uniform_rows(Rng(1), kIndex, {1, kSide, kSide});
  const auto mild = (x + 0.02 * noise).clamp(0, 1), strong = (x + 0.2 * noise).clamp(0, 1);
  EXPECT_TRUE(ssim(x, strong).lt(ssim(x, mild)).all().item<bool>());
  EXPECT_TRUE(ssim(x, mild).allclose(ssim(mild, x), 0, 1e-12));
  EXPECT_TRUE(ssim(x.narrow(2, 0, 8), x.narrow(2, 0, 8)).isnan().all().item<bool>());  // smaller than its window
}

TEST(BallTest, TheL1ProjectionIsTheNearestPointOfTheBallInTheUnitRange) {
  const auto x = originals();
  const Ball ball(Norm::L1, x, eps_of(3.0), false);
  const auto outside = x + 0.2 * normal_rows(Rng(5), kIndex, {1, kSide, kSide});
  const auto inside = ball.project(outside);
  EXPECT_TRUE(ball.distance(inside).sub(3.0).abs().lt(1e-4).all().item<bool>());
  EXPECT_GE(inside.min().item<float>(), 0);
  EXPECT_LE(inside.max().item<float>(), 1);
  // A nearest point p of a convex set lies so that <outside - p, q - p> <= 0 for every other point q of the set.
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto other = ball.random_point(Rng(seed), kIndex);
    const auto product = row_sums((outside - inside).to(torch::kFloat64) * (other - inside).to(torch::kFloat64));
    EXPECT_LT(product.max().item<double>(), 1e-4);
  }
}

TEST(BallTest, TheL1ProjectionOfManyValuesStaysWithinEps) {
  const auto x = to_float(test_images(kImages, 48, 0, 255));
  const Ball ball(Norm::L1, x, eps_of(2.5), false);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const auto point = ball.project(x + normal_rows(Rng(seed), kIndex, {1, 48, 48}));
    EXPECT_LE(ball.distance(point).max().item<double>(), 2.5 + 1e-7);
    EXPECT_GE(ball.distance(point).min().item<double>(), 2.5 - 1e-3);
  }
}

TEST(BallTest, L0KeepsTheValuesThatChangedMost) {
  const auto x = torch::full({1, 1, 1, 4}, 0.5f);
  const Ball ball(Norm::L0, x, torch::full({1}, 2.9, torch::kFloat64), false);
  const auto kept = ball.project(torch::tensor({0.6f, 0.1f, 0.5f, 0.8f}).view({1, 1, 1, 4}));
  EXPECT_TRUE(kept.flatten().equal(torch::tensor({0.5f, 0.1f, 0.5f, 0.8f})));
}

TEST(BallTest, RoundingStaysInsideTheL1Ball) {
  const auto x = originals();
  for (const double eps : {0.01, 0.5, 4.0}) {
    const Ball ball(Norm::L1, x, eps_of(eps), true);
    const auto shown = ball.exportable(ball.random_point(Rng(3), kIndex));
    EXPECT_LE(ball.distance(shown).max().item<double>(), eps + 1e-6);
    EXPECT_TRUE(ball.contains(shown).all().item<bool>());
  }
}

TEST(BallTest, NothingChangesOutsideTheMask) {
  const auto x = originals();
  auto mask = torch::zeros_like(x);
  mask.slice(2, 4, 9).fill_(1);
  for (const Norm norm : {Norm::Linf, Norm::L2, Norm::L1, Norm::L0}) {
    const Ball ball(norm, x, eps_of(norm == Norm::L0 ? 30 : 0.3), true, mask);
    const auto start = ball.random_point(Rng(3), kIndex);
    const auto moved = ball.exportable(ball.step(start, normal_rows(Rng(4), kIndex, {1, kSide, kSide}), eps_of(0.1)));
    EXPECT_TRUE(((moved - x) * (1 - mask)).eq(0).all().item<bool>()) << to_string(norm);
    EXPECT_TRUE((moved - x).ne(0).any().item<bool>()) << to_string(norm);
  }
}

}  // namespace

}  // namespace fercli::test
