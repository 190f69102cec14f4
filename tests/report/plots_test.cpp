#include "report/plots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/files.hpp"
#include "report/figure_plots.hpp"
#include "report/gnuplot.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli {

namespace {

using test::ScratchFolder;
using testing::HasSubstr;

const std::vector<std::string> kClasses{"Angry", "it's \"odd\" \\ {a_b}"};

bool is_png(const std::filesystem::path& path) {
  return read_file(path).compare(0, 8, "\x89PNG\r\n\x1A\n") == 0;
}

size_t files_in(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

const std::vector<std::vector<int64_t>> kConfusion{{3, 1}, {0, 0}};

TEST(Plots, AreWrittenAsPng) {
  const ScratchFolder scratch;
  const Outcomes outcomes{torch::tensor({0.9, 0.1, 0.3, 0.7}, torch::kFloat64).view({2, 2}),
                          torch::tensor({0, 1}, torch::kInt64)};
  EXPECT_TRUE(plot_learning_curves({{1, 1.8, 0.3, 1.7, 0.35, 0.1}, {2, 1.5, 0.4, 1.6, 0.41, 0.0}}, 100,
                                   scratch / "curves.png"));
  EXPECT_TRUE(plot_class_distribution({{"Training", {5, 0}}, {"PublicTest", {1, 2}}}, kClasses, "title",
                                      scratch / "classes.png"));
  EXPECT_TRUE(plot_confusion_matrix(kConfusion, kClasses, "title", scratch / "confusion.png"));
  EXPECT_TRUE(plot_reliability(reliability(outcomes), {0.1, {0.0, 0.2}, 2}, {0.05, {0.0, 0.1}, 2}, "title",
                               scratch / "reliability.png"));
  for (const char* name : {"curves.png", "classes.png", "confusion.png", "reliability.png"}) {
    EXPECT_TRUE(is_png(scratch / name)) << name;
  }
  EXPECT_EQ(files_in(scratch.path()), 4u) << "temporary files are left behind";
}

TEST(Plots, AreSvgWhereTheNameEndsSo) {
  const ScratchFolder scratch;
  EXPECT_TRUE(plot_confusion_matrix(kConfusion, kClasses, "Tom & Jerry's <matrix>", scratch / "confusion.svg"));
  const std::string svg = read_file(scratch / "confusion.svg");
  for (const char* part : {"<svg", "(n = 4)", "(n = 0)", "Tom &amp; Jerry's &lt;matrix", "it's \"odd\" \\ {a_b}"}) {
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  }
}

TEST(Plots, EpochTicksAreWholeNumbers) {
  EXPECT_EQ(epoch_step(1), 1);
  EXPECT_EQ(epoch_step(10), 1);
  EXPECT_EQ(epoch_step(11), 2);
  EXPECT_EQ(epoch_step(24), 5);
  EXPECT_EQ(epoch_step(300), 50);
  const ScratchFolder scratch;
  EXPECT_TRUE(
      plot_learning_curves({{1, 28, 0.3, 27, 0.35, 0.1}, {2, 25, 0.4, 26, 0.41, 0.0}}, 100, scratch / "curves.svg"));
  EXPECT_EQ(read_file(scratch / "curves.svg").find(">1.5<"), std::string::npos);
}

TEST(Plots, DrawASingleEpochAndValuesThatAreMissing) {
  const ScratchFolder scratch;
  EXPECT_TRUE(plot_learning_curves({{1, 1.8, NAN, NAN, NAN, 0.1}}, 0, scratch / "missing.png"));
  EXPECT_TRUE(plot_learning_curves({{1, 1.8, 0.2, 1.8, 0.2, 0.0}}, 5, scratch / "one.png"));
}

TEST(Plots, WarnAndGoOnWithoutGnuplot) {
  const ScratchFolder scratch;
  const test::WithoutGnuplot not_installed;
  testing::internal::CaptureStderr();
  EXPECT_FALSE(plot_confusion_matrix(kConfusion, kClasses, "title", scratch / "confusion.png"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("confusion.png is not drawn: gnuplot is not installed (Debian package gnuplot-nox)"));
  EXPECT_FALSE(std::filesystem::exists(scratch / "confusion.png"));
}

TEST(Gnuplot, IsInAProcessGroupOfItsOwnWhichCtrlCDoesNotReach) {
  const ScratchFolder scratch;
  const test::WithoutGnuplot but_for_this_one;
  write_file(scratch / "gnuplot",
             "#!/bin/sh\nread -r pid name state parent group rest < /proc/$$/stat\necho $pid $group\n");
  std::filesystem::permissions(scratch / "gnuplot", std::filesystem::perms::owner_all);
  setenv("PATH", scratch.path().c_str(), 1);
  ASSERT_TRUE(draw_figure("", {300, 200}, scratch / "figure.png"));
  int process = 0, group = -1;
  std::istringstream(read_file(scratch / "figure.png")) >> process >> group;
  EXPECT_EQ(process, group);
}

TEST(Gnuplot, FailsInASentenceOfOursAndKeepsTheOldFigure) {
  const ScratchFolder scratch;
  write_file(scratch / "figure.png", "old");
  testing::internal::CaptureStderr();
  EXPECT_FALSE(draw_figure("plot nonsense", {300, 200}, scratch / "figure.png"));
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("figure.png is not drawn: gnuplot failed with exit code 1; it should be version 5"),
                    Not(HasSubstr("undefined"))));
  EXPECT_EQ(read_file(scratch / "figure.png"), "old");
}

}  // namespace

}  // namespace fercli
