// The first half is a complete attack with a parameter of its own, as CONTRIBUTING.md describes it: one file, which
// would be attacks/random_points.cpp. The contract suite runs over it as over all others.

// Random points of the ball, the weakest attack there is: a floor for others.
#include "attacks/engine/search.hpp"

namespace fercli::random_points_attack {

namespace {

class RandomPoints : public Attack {
 public:
  using Attack::Attack;

 private:
  void perturb(Search& search) const override {
    auto x_adv = search.start();
    search.offer(x_adv);
    for (int64_t draw = 0; draw < values().whole("draws") && search.size() > 0; ++draw) {
      const auto& ball = search.ball();
      const auto point = ball.random_point(search.rng().split(static_cast<uint64_t>(draw)), search.index());
      x_adv = ball.project(ball.x() + (point - ball.x()) * values().number("stretch"));
      search.offer(x_adv);
    }
  }
};

const Register<AttackEntry> registered{
    {"random-points",
     "random points of the ball",
     Access::Scores,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "draws + 1 forward, until solved",
     "none",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<RandomPoints>(setup); },
     {Parameter::whole("draws", "10", between(1, 1e6), "points for each start"),
      Parameter::number("stretch", "2", above(0), "how far each lies from the image, before it is put into the ball"),
      shared_parameter("restarts"), shared_parameter("random-start")}}};

}  // namespace

}  // namespace fercli::random_points_attack

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

TEST(OneFileAttack, IsListedWithItsOwnParameters) {
  const auto result = run_in_process({"attacks", "random-points"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, testing::HasSubstr("points for each start"));
  EXPECT_THAT(result.out, testing::HasSubstr("a whole number in [1, 1000000]; default: 10"));
}

TEST(OneFileAttack, TakesItsParametersFromTheCommandLineAndTheResultRecordsThem) {
  const auto result = run_in_process({"eval", "--data", "synthetic:n=14,seed=4", "--split", "all", "--attacks",
                                      "random-points:draws=3,stretch=1.5", "--eps", "8/255", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto attack = nlohmann::json::parse(result.out).at("attacks").at(0);
  EXPECT_EQ(attack.at("name"), "random-points");
  EXPECT_EQ(attack.at("draws"), 3);
  EXPECT_EQ(attack.at("stretch"), 1.5);
}

TEST(OneFileAttack, RefusesWhatItDidNotDeclare) {
  const auto result = run_in_process({"eval", "--data", "synthetic:n=14,seed=4", "--attacks", "random-points:drws=3"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              testing::HasSubstr(
                  "fercli eval: --attacks random-points:drws=3: attack 'random-points': there is no parameter 'drws'; "
                  "did you mean draws? (there are draws, stretch, restarts, random-start)"));
}

}  // namespace

}  // namespace fercli::test
