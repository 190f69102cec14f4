#include "core/file_name.hpp"

#include <filesystem>
#include <set>

#include "tests/hostile_names.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

TEST(FileName, OrdinaryNamesStayAsTheyAre) {
  for (const std::string name : {"happy", "Training_0001", "en colère", "a.b-c"}) EXPECT_EQ(file_name_of(name), name);
}

TEST(FileName, AHostileNameIsOneFileInTheFolder) {
  for (const auto& text : test::hostile_names()) {
    const std::filesystem::path name = file_name_of(text);
    EXPECT_EQ(name, name.filename()) << name;
    EXPECT_FALSE(name.empty());
    EXPECT_LE(name.string().size(), 120u);
    EXPECT_NE(name.string()[0], '.') << name;
    EXPECT_NE(name.string()[0], '-') << name;
    EXPECT_EQ(("folder" / name).lexically_normal().parent_path(), "folder") << name;
  }
}

TEST(FileName, DifferentTextsGetDifferentNames) {
  const auto names = file_names_of({"a/b", "a:b", "A_B", "..", ".", ""});
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names[0], "a_b");
  EXPECT_EQ(names[1], "a_b-2");
  EXPECT_EQ(names[2], "A_B-3");
}

}  // namespace

}  // namespace fercli
