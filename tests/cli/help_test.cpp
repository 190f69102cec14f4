// fercli help, fercli version, the tasks that they show, and declarations of commands.
#include <torch/version.h>

#include "commands/tasks.hpp"
#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/text.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

/// The arguments give the same text, on stdout, as the command and options beside them.
void expect_same_text(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  const auto result = test::run_fercli(one);
  EXPECT_EQ(result.exit_code, 0) << join(one, " ");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, test::run_in_process(other).out) << join(one, " ");
}

TEST(HelpCommand, HelpOfACommandIsItsOptions) {
  expect_same_text({"--help", "attacks"}, {"attacks", "--help"});
  EXPECT_EQ(test::run_in_process({"help", "attacks"}).out, test::run_in_process({"attacks", "--help"}).out);
}

TEST(HelpCommand, HelpOfASubcommandIsItsOptions) {
  expect_same_text({"help", "data", "audit"}, {"data", "audit", "--help"});
}

TEST(HelpCommand, HelpShowsTheCommonTasksBeforeTheCommands) {
  const std::string help = test::run_in_process({"help"}).out;
  const size_t commands = help.find("\nCommands:\n");
  ASSERT_NE(commands, std::string::npos);
  for (const auto& task : common_tasks()) EXPECT_LT(help.find(task.what + " "), commands) << task.what;
}

TEST(HelpCommand, HelpRefusesWhatIsNoCommand) {
  const auto result = test::run_in_process({"help", "atack"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, testing::HasSubstr("unknown command 'atack'; did you mean attack?"));
  EXPECT_THAT(result.err, testing::HasSubstr("data, eval")) << "docs is of use to the build alone";
  EXPECT_THAT(test::run_in_process({"help", "eval", "stats"}).err,
              testing::HasSubstr("eval has no subcommand 'stats'"));
}

TEST(HelpCommand, VersionHasThreeSpellings) {
  expect_same_text({"-V"}, {"version"});
  expect_same_text({"--version"}, {"version"});
  EXPECT_EQ(test::run_in_process({"version"}).out.rfind("fercli " + std::string(version()) + " (", 0), 0u);
}

TEST(HelpCommand, VersionAsJsonNamesTheLibrary) {
  const auto facts = nlohmann::json::parse(test::run_in_process({"version", "--json"}).out);
  EXPECT_EQ(facts.at("version"), version());
  EXPECT_EQ(facts.at("libtorch"), TORCH_VERSION);
}

TEST(HelpCommand, TasksNameCommandsAndOptionsThatExist) {
  for (const auto* list : {&common_tasks(), &further_tasks()}) {
    for (const auto& task : *list) {
      const auto words = split(task.command, ' ');
      EXPECT_NO_THROW(check_usage({words.begin() + 1, words.end()})) << task.command;
    }
  }
}

TEST(HelpCommand, EveryCommandHasATaskThatShowsItsUse) {
  for (const auto& words : callable_commands()) EXPECT_FALSE(tasks_of(join(words, " ")).empty()) << join(words, " ");
}

TEST(HelpCommand, UsageIsCheckedWithoutRunningTheCommand) {
  EXPECT_NO_THROW(check_usage({"predict", "no-such-file.png"}));
  EXPECT_THROW(check_usage({"predict", "face.png", "--nonsense"}), UserError);
  EXPECT_THROW(check_usage({"attack", "happy-to-sad", "--eps", "many"}), UserError);
  EXPECT_THROW(check_usage({"data", "sort", "x"}), UserError);
}

TEST(HelpCommand, DeclarationsNameOptionsAndChoices) {
  const Declaration data = declaration_of({"data", "convert"});
  EXPECT_EQ(data.usage, "SOURCE DESTINATION");
  const auto format = std::find_if(data.options.begin(), data.options.end(),
                                   [](const auto& option) { return option.name == "format"; });
  ASSERT_NE(format, data.options.end());
  EXPECT_THAT(format->choices, testing::ElementsAre("auto", "csv", "folder", "packed"));
  EXPECT_EQ(data.sections().back(), "");
}

}  // namespace

}  // namespace fercli
