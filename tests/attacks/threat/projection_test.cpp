// Projections onto the ball and [0,1] together, against slow references in double.
#include "attacks/threat/ball.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kRows = 6, kValues = 64;
constexpr int kBisections = 200;

std::vector<double> row_of(const torch::Tensor& values, int64_t row) {
  const auto flat = values[row].flatten().to(torch::kFloat64).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

double cut(double value, double x) {
  return std::min(1 - x, std::max(-x, value));
}

double size_of(const std::vector<double>& delta, Norm norm) {
  double sum = 0;
  for (const double value : delta) sum += norm == Norm::L2 ? value * value : std::abs(value);
  return norm == Norm::L2 ? std::sqrt(sum) : sum;
}

/// The nearest point by its multiplier: L2, delta / (1 + m) cut at the box; L1, every value shrunk by m and cut.
std::vector<double> nearest(const std::vector<double>& delta, const std::vector<double>& x, double eps, Norm norm) {
  const auto with = [&](double multiplier) {
    std::vector<double> point;
    for (size_t i = 0; i < delta.size(); ++i) {
      const double shrunk = norm == Norm::L2 ? delta[i] / (1 + multiplier)
                                             : std::copysign(std::max(0.0, std::abs(delta[i]) - multiplier), delta[i]);
      point.push_back(cut(shrunk, x[i]));
    }
    return point;
  };
  double low = 0, high = 1e6;
  if (size_of(with(0), norm) <= eps) return with(0);
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    (size_of(with(middle), norm) <= eps ? high : low) = middle;
  }
  return with(high);
}

/// Images with black, white and middling pixels, so that the box matters.
torch::Tensor hard_images() {
  auto x = to_float(test_images(kRows, 8, 0, 255));
  x.slice(2, 0, 2).zero_();
  x.slice(2, 2, 4).fill_(1);
  return x;
}

const std::vector<int64_t> kKeys{1, 2, 3, 4, 5, 6};

class Projection : public testing::TestWithParam<std::tuple<Norm, double>> {};

TEST_P(Projection, IsTheNearestPointOfBallAndUnitRange) {
  const auto [norm, eps] = GetParam();
  const auto x = hard_images();
  const Ball ball(norm, x, torch::full({kRows}, eps, torch::kFloat64), false);
  for (const double reach : {0.02, 0.3, 3.0}) {
    const auto outside = x + normal_rows(Rng(7), kKeys, {1, 8, 8}) * reach;
    const auto inside = ball.project(outside);
    for (int64_t row = 0; row < kRows; ++row) {
      const auto expected = nearest(row_of(outside - x, row), row_of(x, row), eps, norm);
      const auto actual = row_of(inside - x, row);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], 1e-6) << to_string(norm) << " eps " << eps << " reach " << reach;
      }
    }
    EXPECT_TRUE(ball.contains(inside).all().item<bool>());
  }
}

INSTANTIATE_TEST_SUITE_P(Norms, Projection,
                         testing::Values(std::tuple{Norm::L2, 0.05}, std::tuple{Norm::L2, 1.0},
                                         std::tuple{Norm::L2, 3.5}, std::tuple{Norm::L1, 0.05},
                                         std::tuple{Norm::L1, 2.0}, std::tuple{Norm::L1, 20.0}));

TEST(Projection, InL0KeepsTheValuesThatBringItNearest) {
  // By trial of every pair of values: the farthest from x may be one that [0,1] does not let move.
  const auto x = torch::tensor({1.0f, 0.5f, 0.9f, 0.2f}).view({1, 1, 1, 4});
  const auto outside = torch::tensor({1.9f, 0.7f, 1.3f, -0.1f}).view({1, 1, 1, 4});
  double best = std::numeric_limits<double>::infinity();
  torch::Tensor expected;
  for (int64_t a = 0; a < 4; ++a) {
    for (int64_t b = a + 1; b < 4; ++b) {
      auto point = x.clone();
      for (const int64_t i : {a, b}) point[0][0][0][i] = outside[0][0][0][i].clamp(0, 1);
      const double far = (point - outside).norm().item<double>();
      if (far < best) best = far, expected = point;
    }
  }
  const Ball ball(Norm::L0, x, torch::full({1}, 2.0, torch::kFloat64), false);
  EXPECT_TRUE(ball.project(outside).equal(expected));
}

TEST(Projection, AStretchedPerturbationIsAsLongAsItsRadiusWhateverTheUnitRangeCuts) {
  const auto x = hard_images();
  for (const double eps : {0.1, 1.0, 3.0}) {
    const Ball ball(Norm::L2, x, torch::full({kRows}, eps, torch::kFloat64), false);
    const auto point = ball.stretch(x + normal_rows(Rng(3), kKeys, {1, 8, 8}) * 1e-3);
    EXPECT_TRUE(ball.distance(point).sub(eps).abs().lt(1e-5).all().item<bool>()) << ball.distance(point);
    EXPECT_TRUE(point.ge(0).logical_and(point.le(1)).all().item<bool>());
  }
  const Ball ball(Norm::L2, x, torch::full({kRows}, 100.0, torch::kFloat64), false);
  const auto corner = ball.stretch(x + 1e-3f);
  EXPECT_TRUE(corner.eq(1).all().item<bool>());  // there is no such point: as far as it goes
  EXPECT_TRUE(ball.stretch(x).equal(x));
}

TEST(Projection, SteepestIsNeverBeatenByAnotherPointOfTheBall) {
  const auto x = hard_images();
  const auto gradient = normal_rows(Rng(4), kKeys, {1, 8, 8});
  for (const auto& [norm, eps] : {std::pair{Norm::Linf, 0.1}, std::pair{Norm::L2, 1.5}, std::pair{Norm::L1, 9.0}}) {
    const Ball ball(norm, x, torch::full({kRows}, eps, torch::kFloat64), false);
    const auto fall = [&](const torch::Tensor& point) {
      return row_sums((gradient * (point - x)).to(torch::kFloat64));
    };
    const auto least = fall(ball.steepest(gradient));
    for (uint64_t seed = 0; seed < 20; ++seed) {
      // Points further down the slope than any, pulled back into the ball, and random ones.
      const auto far = ball.project(x - gradient * 50 + normal_rows(Rng(seed), kKeys, {1, 8, 8}));
      EXPECT_TRUE(least.le(fall(far) + 1e-4).all().item<bool>()) << to_string(norm) << least << fall(far);
      EXPECT_TRUE(least.le(fall(ball.random_point(Rng(seed), kKeys)) + 1e-4).all().item<bool>());
    }
  }
}

TEST(Projection, AStepInL1IsAsLongAsItSaysWhereTheLargestValuesHaveNoRoom) {
  const auto x = torch::full({1, 1, 8, 8}, 0.9f);
  const Ball ball(Norm::L1, x, torch::full({1}, 50.0, torch::kFloat64), false);
  const auto uphill = -torch::arange(1, 65, torch::kFloat32).view({1, 1, 8, 8});  // every value wants to grow, by 0.1
  const auto moved = ball.step(x, uphill, torch::full({1}, 2.0, torch::kFloat64));
  EXPECT_NEAR(ball.distance(moved).item<double>(), 2.0, 1e-5);
}

}  // namespace

}  // namespace fercli::test
