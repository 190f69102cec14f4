// The program that makes the table of optimality, on results written for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.hpp"
#include "core/numbers.hpp"
#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

/// An attack that took `distances` for the images; below 0: the network misclassifies the image.
void write_run(const ScratchFolder& out, const std::string& place, const std::vector<double>& distances,
               const std::string& digest = "d") {
  const std::string attack = std::filesystem::path(place).filename().string();
  Result result;
  result.command = "eval";
  result.n = static_cast<int64_t>(distances.size());
  result.dataset = {{"name", "/somewhere/fer"}, {"split", "PublicTest"}, {"digest", "images"}};
  result.add_model({{"model", "net"}, {"digest", digest}});
  LadderFigures figures;
  figures.attacks.emplace_back();
  figures.attacks.front().curves.name = attack;
  figures.attacks.front().forward = 30;
  figures.attacks.front().backward = 15;
  result.parts["robustness"]["net"] = Shape<LadderFigures>::write(figures);
  for (size_t i = 0; i < distances.size(); ++i) {
    const bool right = distances[i] >= 0;
    ImageFigures& image = result.per_image.emplace_back();
    image.id = std::to_string(i);
    image.label = "Happy";
    image.predicted = right ? "Happy" : "Sad";
    image.distance[attack] = right ? distances[i] : kNaN;
  }
  std::filesystem::create_directories(out / place);
  write_result(result, out / place / "result.json");
}

TEST(OptimalityTable, SetsTheAttacksOfANormBesideTheBestOfAll) {
  const ScratchFolder out;
  const double none = std::numeric_limits<double>::infinity();
  write_run(out, "robust/l0/one", {1, 2, 3, -1});
  write_run(out, "robust/l0/two", {2, 1, none, -1});
  write_run(out, "robust/l0/best", {1, 1, 3, -1});
  write_run(out, "robust/l1/one", {1, 2, 3, -1});  // alone
  std::filesystem::create_directories(out / "robust/l0/unfinished");
  const auto run = run_program(FERCLI_OPTIMALITY_TABLE, {out.path().string(), "robust"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("| best | 1.000 (1.000–1.000) | 1 ("));
  EXPECT_THAT(run.out, HasSubstr("| one | 0.750 ("));
  EXPECT_THAT(run.out, HasSubstr("| two | 0.750 ("));
  EXPECT_THAT(run.out, HasSubstr("| 2 of 3 | 10 + 5 |"));
  EXPECT_LT(run.out.find("| best"), run.out.find("| one"));
  EXPECT_EQ(run.out.find("L1"), std::string::npos);
  EXPECT_EQ(read_file(out / "optimality.md"), run.out);
}

TEST(OptimalityTable, RefusesRunsOfOtherNetworksAndImages) {
  const ScratchFolder out;
  write_run(out, "robust/l2/one", {1, 2});
  write_run(out, "robust/l2/two", {1, 2}, "another");
  const auto other = run_program(FERCLI_OPTIMALITY_TABLE, {out.path().string(), "robust"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("not of the images and the network"));
  write_run(out, "robust/l2/two", {1, -1});
  EXPECT_EQ(run_program(FERCLI_OPTIMALITY_TABLE, {out.path().string(), "robust"}).exit_code, 2);
  EXPECT_EQ(run_program(FERCLI_OPTIMALITY_TABLE, {out.path().string(), "standard"}).exit_code, 2);
}

}  // namespace

}  // namespace fercli::test
