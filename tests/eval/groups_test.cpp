#include "eval/groups.hpp"

#include "core/escape.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "data/formats/writer.hpp"
#include "data/groups.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/data/sample_data.hpp"
#include "tests/hostile_names.hpp"

namespace fercli {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// 40 images, of which those without glasses are right, and a site for each.
GroupComparison compared() {
  GroupColumn glasses{"glasses", {}}, site{"site", {}};
  GroupQuantity clean{"", {}}, robust{"4/255", {}};
  for (int i = 0; i < 40; ++i) {
    glasses.values.push_back(i < 15 ? "yes" : "no");
    site.values.push_back(i == 39 ? "" : i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c");
    clean.right.push_back(i >= 15 ? 1 : 0);
    robust.right.push_back(i < 35 ? i % 2 : -1);
  }
  return compare_groups({glasses, site}, {clean, robust}, 0);
}

TEST(Groups, EachHasItsCountsAndAccuracies) {
  const auto found = compared();
  const GroupFigures& no = found.columns.at(0).groups.at(0);
  EXPECT_EQ(no.group, "no");
  EXPECT_EQ(no.accuracy.n, 25);
  EXPECT_EQ(no.accuracy.value, 1);
  EXPECT_EQ(no.robust.at(0).eps, "4/255");
  EXPECT_EQ(no.robust.at(0).accuracy.n, 20) << "of those that were attacked";
  EXPECT_EQ(found.columns.at(1).unknown, 1);
}

TEST(Groups, TheLargestGapIsTestedAndCorrectedForAllOfTheTable) {
  const auto found = compared();
  const GroupGap& gap = found.columns.at(0).gaps.at(0);
  EXPECT_EQ(gap.worst, "yes");
  EXPECT_EQ(gap.best, "no");
  EXPECT_EQ(gap.difference.value, 1);
  EXPECT_EQ(gap.test, "Fisher's exact");
  EXPECT_LT(gap.p, 1e-9);
  EXPECT_NEAR(gap.p_holm, 4 * gap.p, 1e-15) << "the smallest of four";
  const GroupGap& other = found.columns.at(1).gaps.at(0);
  EXPECT_EQ(other.test, "permutation");
  EXPECT_GT(other.p_holm, 0.05);
}

TEST(Groups, NumbersThatAreNotKnownAreOfNoGroup) {
  const test::ScratchFolder scratch;
  std::string table = "file,age\n";
  std::vector<std::string> ids;
  for (int i = 0; i < 60; ++i) {
    ids.push_back(fmt::format("{}.png", i));
    table += fmt::format("{},{}\n", ids.back(), i == 0 ? "NA" : i == 1 ? "nan" : std::to_string(i));
  }
  write_file(scratch / "ages.csv", table);
  const auto values = read_groups((scratch / "ages.csv").string(), ids).at(0).values;
  EXPECT_EQ(values[0], "");
  EXPECT_EQ(values[1], "");
  EXPECT_EQ(values[2], "up to 21");
  write_file(scratch / "words.csv", "file,glasses\n0.png,none\n1.png,yes\n");
  EXPECT_EQ(read_groups((scratch / "words.csv").string(), ids).at(0).values[0], "none") << "a group of its own";
}

TEST(Groups, AFewImagesAreNotCompared) {
  GroupColumn column{"beard", std::vector<std::string>(20, "none")};
  std::fill(column.values.begin(), column.values.begin() + 9, "full");
  const auto found = compare_groups({column}, {{"", std::vector<int64_t>(20, 1)}}, 0);
  EXPECT_EQ(found.columns.at(0).groups.size(), 2u);
  EXPECT_TRUE(found.columns.at(0).gaps.empty());
}

TEST(Groups, ThatAreAllEqualHaveAGapOfTwoOfThem) {
  GroupColumn column{"beard", std::vector<std::string>(30, "none")};
  std::fill(column.values.begin(), column.values.begin() + 12, "full");
  const auto found = compare_groups({column}, {{"", std::vector<int64_t>(30, 0)}}, 0);
  const GroupGap& gap = found.columns.at(0).gaps.at(0);
  EXPECT_EQ(gap.worst, "full");
  EXPECT_EQ(gap.best, "none");
  EXPECT_EQ(gap.difference.value, 0);
  EXPECT_EQ(gap.difference.n, 30);
}

TEST(GroupsFile, IsJoinedByNameAndCutsManyNumbersAtTheirTerciles) {
  const test::ScratchFolder scratch;
  std::string text = "id,age,site\n";
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i) {
    ids.push_back(fmt::format("happy/{}.png", i));
    text += fmt::format("{}.png,{},{}\n", i, 20 + i, i % 2);
  }
  ids.push_back("happy/other.png");
  write_file(scratch / "groups.csv", text);
  const auto groups = read_groups((scratch / "groups.csv").string(), ids);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].values[0], "up to 29");
  EXPECT_EQ(groups[0].values[15], "over 29 to 39");
  EXPECT_EQ(groups[0].values[29], "over 39");
  EXPECT_EQ(groups[1].values[3], "1") << "few numbers are groups of their own";
  EXPECT_EQ(groups[0].values[30], "") << "an image that the table does not have";
}

TEST(GroupsFile, NamesOfAnyKindComeBack) {
  const test::ScratchFolder scratch;
  const auto names = test::hostile_names();
  write_groups(scratch / "groups.csv", names, {{"=group", names}});
  const auto groups = read_groups((scratch / "groups.csv").string(), names);
  EXPECT_EQ(groups.at(0).name, "=group");
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(groups[0].values[i], printable(names[i]));
}

TEST(GroupsFile, ThatIsNoneIsRefused) {
  const test::ScratchFolder scratch;
  const std::string file = (scratch / "g.csv").string();
  const auto error = [&](const std::string& text) {
    write_file(file, text);
    return test::user_error([&] { read_groups(file, {"a.png"}); });
  };
  EXPECT_THAT(error("skin,site\n1,2\n"), HasSubstr("the header must name a column id or file"));
  EXPECT_THAT(error("id\na.png\n"), HasSubstr("has no column of groups"));
  EXPECT_THAT(error("id,skin\nb.png,1\n"), HasSubstr("none of its 1 rows is about one of the 1 images, such as a.png"));
  EXPECT_THAT(error("id,skin\na.png\n"), HasSubstr("g.csv:2: has 1 fields, the header has 2"));
  EXPECT_THAT(error("id,skin\na.png,1\nb.png,2\na.png,2\n"),
              HasSubstr("g.csv:4: is about a.png once more, and says otherwise than line 2"));
  EXPECT_THAT(error("id,skin,skin\na.png,1,2\n"), HasSubstr("has the column skin twice"));
  write_file(file, "id,skin\nx/a.png,1\ny/a.png,2\na.png,3\na.png,3\n");
  EXPECT_EQ(read_groups(file, {"a.png", "x/a.png"})[0].values, (std::vector<std::string>{"3", "1"}));
}

TEST(DrawnFaces, CarryTheirParametersAsGroupsThroughFilesToo) {
  const Dataset drawn = read_dataset("synthetic:n=40,seed=7");
  std::vector<std::string> names;
  for (const auto& column : drawn.groups) names.push_back(column.name);
  EXPECT_THAT(names, ElementsAre("skin", "glasses", "beard", "hair", "light", "pose"));
  const test::ScratchFolder scratch;
  write_dataset(drawn, scratch / "faces.ferpack");
  write_dataset(drawn, scratch / "faces");
  const Dataset packed = read_dataset((scratch / "faces.ferpack").string());
  EXPECT_EQ(packed.groups.at(3).values, drawn.groups.at(3).values);
  const Dataset folder = read_dataset((scratch / "faces").string());
  ASSERT_EQ(folder.groups.size(), 6u);
  EXPECT_EQ(std::count(folder.groups[0].values.begin(), folder.groups[0].values.end(), "light"),
            std::count(drawn.groups[0].values.begin(), drawn.groups[0].values.end(), "light"));
}

}  // namespace

}  // namespace fercli
