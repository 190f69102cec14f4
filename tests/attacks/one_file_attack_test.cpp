// The attack is the example of plug-ins, compiled in: a file of that kind is all that a new attack needs. The contract
// suite runs over it as over all others.
#include "experiments/plugin/random_points.cpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"

namespace fercli::test {

namespace {

TEST(OneFileAttack, IsListedWithItsOwnParameter) {
  const auto result = run_in_process({"attacks", "random-points"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, testing::HasSubstr("points for each start"));
  EXPECT_THAT(result.out, testing::HasSubstr("a whole number in [1, 1000000]; default: 10"));
}

TEST(OneFileAttack, TakesItsParameterFromTheCommandLineAndTheResultRecordsIt) {
  const ScratchFolder folder;
  save_tiny_network(folder / "tiny.pt", 3, 400);
  const auto result =
      run_in_process({"eval", "--model", (folder / "tiny.pt").string(), "--data", "synthetic:n=14,seed=4", "--split",
                      "all", "--attacks", "random-points:draws=3", "--eps", "8/255", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto attack = nlohmann::json::parse(result.out).at("attacks").at(0);
  EXPECT_EQ(attack.at("name"), "random-points");
  EXPECT_EQ(attack.at("draws"), 3);
}

TEST(OneFileAttack, RefusesWhatItDidNotDeclare) {
  const auto result = run_in_process({"eval", "--data", "synthetic:n=14,seed=4", "--attacks", "random-points:drws=3"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err,
              testing::HasSubstr(
                  "fercli eval: --attacks random-points:drws=3: attack 'random-points': there is no parameter 'drws'; "
                  "did you mean draws? (there are draws, restarts, random-start)"));
}

}  // namespace

}  // namespace fercli::test
