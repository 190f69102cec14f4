// Manual pages, completions and the check of the commands that texts show.
#include <cstdlib>

#include "commands/docs/completion.hpp"
#include "commands/docs/man_page.hpp"
#include "commands/docs/roff.hpp"
#include "commands/docs/shown_commands.hpp"
#include "commands/docs/values.hpp"
#include "core/command.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

bool has_program(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null 2>&1").c_str()) == 0;
}

// ---- manual pages ---------------------------------------------------------------------------------------------------

TEST(ManPages, EveryCommandAndSubcommandHasOne) {
  const auto pages = man_pages({});
  EXPECT_EQ(pages.count("fercli.1"), 1u);
  for (const auto& command : shown_commands()) {
    EXPECT_EQ(pages.count("fercli-" + command.name + ".1"), 1u) << command.name;
    for (const auto& each : command.subcommands) {
      EXPECT_EQ(pages.count("fercli-" + command.name + "-" + each.name + ".1"), 1u) << each.name;
    }
  }
}

/// The options that a help text lists: "--eps" of "  -e, --eps X   …".
std::vector<std::string> options_in(const std::string& help) {
  std::vector<std::string> options;
  for (const auto& line : split_lines(help)) {
    const size_t place = line.find("--");
    if (line.rfind("  -", 0) == 0 && place <= 6)
      options.push_back(line.substr(place, line.find_first_of(" …", place) - place));
  }
  return options;
}

TEST(ManPages, EveryOptionOfTheHelpHasAnEntry) {
  const auto pages = man_pages({});
  for (const auto& words : callable_commands()) {
    auto arguments = words;
    arguments.emplace_back("--help");
    const auto options = options_in(test::run_in_process(arguments).out);
    EXPECT_GE(options.size(), 2u) << join(words, " ");
    const std::string& page = pages.at("fercli-" + join(words, "-") + ".1");
    for (const auto& option : options) {
      EXPECT_THAT(page, testing::HasSubstr("\\fB" + roff_text(option) + "\\fR")) << join(words, " ");
    }
  }
}

TEST(ManPages, RenderWithoutWarnings) {
  if (!has_program("groff")) GTEST_SKIP() << "groff is not installed";
  const test::ScratchFolder folder;
  ASSERT_EQ(test::run_fercli({"docs", "man", folder.path().string(), "--texts",
                              (fs::path(FERCLI_TEST_FOLDER).parent_path() / "src/commands/manual").string()})
                .exit_code,
            0);
  std::vector<std::string> words{"-c", "exec groff -ww -man -Tutf8 -z \"$@\"", "groff"};
  for (const auto& entry : fs::directory_iterator(folder.path())) words.push_back(entry.path().string());
  ASSERT_GT(words.size(), 20u);
  const auto result = test::run_program("/bin/sh", words);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");  // it names the page
}

TEST(ManPages, TextIsAsciiAndNeverARequest) {
  EXPECT_EQ(roff_text(".hidden…"), "\\&.hidden\\[u2026]");
  EXPECT_EQ(roff_text("use `--eps` or 'x\\y'"), "use \\fB\\-\\-eps\\fR or \\(aqx\\ey\\(aq");
  EXPECT_EQ(roff_text("😠"), "\\[u1F620]");
}

TEST(ManPages, FurtherTextBecomesSections) {
  EXPECT_EQ(roff_of_markdown("# Two words\n\nOne `a\nb`.\n\n    fercli live\n\n- item\n"),
            ".SH \"TWO WORDS\"\nOne \\fBa b\\fR.\n.PP\n.RS 4\n.nf\nfercli live\n.fi\n.RE\n.IP \\(bu 2\nitem\n");
}

TEST(ManPages, TextForNoPageIsRefused) {
  const test::ScratchFolder folder;
  write_file(folder / "texts" / "fercli-nonsense.md", "# A\n\nb\n");
  const auto result =
      test::run_in_process({"docs", "man", (folder / "out").string(), "--texts", (folder / "texts").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, testing::HasSubstr("fercli-nonsense.md: there is no such page"));
}

// ---- completion -----------------------------------------------------------------------------------------------------

/// A new name for a value belongs into the table of commands/docs/values.cpp, so that shells know what it is.
TEST(Completion, KnowsWhatEveryValueIs) {
  for (const auto& words : callable_commands()) {
    const Declaration declaration = declaration_of(words);
    for (const auto& option : declaration.options) {
      EXPECT_TRUE(option.is_flag || values_of(option).known)
          << declaration.command << " --" << option.name << " " << option.metavar;
    }
    for (const auto& values : values_of_usage(declaration.usage)) EXPECT_TRUE(values.known) << declaration.usage;
  }
}

/// What a shell offers for a line that ends where the cursor is.
class Shells : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, text] : completions()) write_file(folder_ / name, text);
    for (const char* name : {"work/net.onnx", "work/notes.txt", "work/faces.csv", "work/set.ini", "work/face.png",
                             "work/a b.png", "work/sub/x"})
      write_file(folder_ / name, "");
  }

  /// In bash, by the very function that it calls on Tab.
  std::vector<std::string> bash(const std::string& line) const {
    const std::string script = "cd " + (folder_ / "work").string() + " && . " +
                               (folder_ / "bash-completion/completions/fercli").string() +
                               R"(
complete -p fercli | grep -q -- '-F _fercli fercli' || exit 9
line=$1
# bash parts words at = as well
read -ra COMP_WORDS <<<"${line//=/ = }"
[[ $line != *' ' && $line != *= ]] || COMP_WORDS+=("")
[[ $line != *= ]] || unset 'COMP_WORDS[-1]'
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_fercli fercli "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || true
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}" | sort
)";
    const auto result = test::run_program("/bin/bash", {"-c", script, "bash", line});
    EXPECT_EQ(result.exit_code, 0) << line << "\n" << result.err;
    EXPECT_EQ(result.err, "") << line;
    return split_lines(result.out);
  }

  const test::ScratchFolder folder_;
};

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

TEST_F(Shells, BashOffersCommands) {
  EXPECT_THAT(bash("fercli "), IsSupersetOf({"attack", "data", "help", "train", "version"}));
  EXPECT_THAT(bash("fercli "), Not(Contains("docs")));
  EXPECT_THAT(bash("fercli att"), ElementsAre("attack", "attacks"));
}

TEST_F(Shells, BashOffersSubcommands) {
  EXPECT_THAT(bash("fercli data "), ElementsAre("--help", "audit", "convert", "stats"));
}

TEST_F(Shells, BashOffersTheOptionsOfTheCommand) {
  EXPECT_THAT(bash("fercli attack happy-to-sad --mi"), ElementsAre("--min-confidence", "--minimal-eps"));
  EXPECT_THAT(bash("fercli data audit x --sp"), ElementsAre("--split"));
  EXPECT_THAT(bash("fercli version --"), ElementsAre("--config", "--help", "--json", "--plugin"));
}

TEST_F(Shells, BashOffersChoices) {
  EXPECT_THAT(bash("fercli attack --norm "), ElementsAre("l0", "l1", "l2", "linf"));
  EXPECT_THAT(bash("fercli attack --norm=li"), ElementsAre("linf"));
  EXPECT_THAT(bash("fercli attack --norm="), ElementsAre("l0", "l1", "l2", "linf"));
}

TEST_F(Shells, BashOffersAttacksAlsoInLists) {
  EXPECT_THAT(bash("fercli attack --attack hop"), ElementsAre("hopskipjump"));
  EXPECT_THAT(bash("fercli eval --attacks pgd,fab"), ElementsAre("pgd,fab", "pgd,fab-t"));
}

TEST_F(Shells, BashOffersModelsAndModelFiles) {
  EXPECT_THAT(bash("fercli eval -m "), ElementsAre("net.onnx", "robust", "standard", "sub"));
  EXPECT_THAT(bash("fercli attack --model standard,ro"), ElementsAre("standard,robust"));
}

TEST_F(Shells, BashOffersEmotionsSourceFirst) {
  EXPECT_THAT(bash("fercli attack ha"), ElementsAre("happy-to-"));
  EXPECT_THAT(bash("fercli attack happy-to-s"), ElementsAre("happy-to-sad", "happy-to-surprise"));
  EXPECT_THAT(bash("fercli attack happy-to-"), Not(Contains("happy-to-happy")));
  EXPECT_THAT(bash("fercli attack joie-to-trist"), ElementsAre("joie-to-triste", "joie-to-tristesse"));
  EXPECT_THAT(bash("fercli live --attack any-to-f"), ElementsAre("any-to-fear"));
}

TEST_F(Shells, BashOffersFilesByType) {
  EXPECT_THAT(bash("fercli train --data "), ElementsAre("faces.csv", "sub", "synthetic:"));
  EXPECT_THAT(bash("fercli train --config "), ElementsAre("set.ini", "sub"));
  EXPECT_THAT(bash("fercli attack --out "), ElementsAre("sub"));
  EXPECT_THAT(bash("fercli attack happy-to-sad --image "), ElementsAre("a b.png", "face.png", "sub"));
  EXPECT_THAT(bash("fercli attack happy-to-sad --image face.png f"), ElementsAre("face.png"));
}

TEST_F(Shells, BashOffersWordsAgainBehindAValue) {
  EXPECT_THAT(bash("fercli attack --norm l2 fe"), ElementsAre("fear-to-"));
  EXPECT_THAT(bash("fercli help at"), ElementsAre("attack", "attacks"));
}

TEST_F(Shells, FishOffersTheSame) {
  if (!has_program("fish")) GTEST_SKIP() << "fish is not installed";
  const auto fish = [&](const std::string& line) {
    const std::string script = "cd " + (folder_ / "work").string() + "; source " +
                               (folder_ / "fish/vendor_completions.d/fercli.fish").string() +
                               "; complete -C \"$argv[1]\" | string split -f1 \\t | sort";
    const auto result = test::run_program("/usr/bin/fish", {"--no-config", "-c", script, line});
    EXPECT_EQ(result.err, "") << line;
    return split_lines(result.out);
  };
  EXPECT_THAT(fish("fercli att"), ElementsAre("attack", "attacks"));
  EXPECT_THAT(fish("fercli data "), IsSupersetOf({"audit", "convert", "stats"}));
  EXPECT_THAT(fish("fercli attack --norm l"), ElementsAre("l0", "l1", "l2", "linf"));
  EXPECT_THAT(fish("fercli attack --mi"), ElementsAre("--min-confidence", "--minimal-eps"));
  EXPECT_THAT(fish("fercli attack happy-to-s"), ElementsAre("happy-to-sad", "happy-to-surprise"));
  EXPECT_THAT(fish("fercli eval --attacks pgd,fab"), ElementsAre("pgd,fab", "pgd,fab-t"));
  EXPECT_THAT(fish("fercli train --config "), ElementsAre("set.ini", "sub/"));
  EXPECT_THAT(fish("fercli attack -m "), ElementsAre("net.onnx", "robust", "standard", "sub/"));
  EXPECT_THAT(fish("fercli attack --out "), ElementsAre("sub/"));
  EXPECT_THAT(fish("fercli attack --out="), ElementsAre("--out=sub/"));
}

TEST_F(Shells, ZshReadsItsScript) {
  if (!has_program("zsh")) GTEST_SKIP() << "zsh is not installed";
  const auto result =
      test::run_program("/bin/sh", {"-c", "exec zsh -n \"$0\"", (folder_ / "zsh/vendor-completions/_fercli").string()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

// ---- commands in texts ----------------------------------------------------------------------------------------------

TEST(ShownCommands, AreFoundInMarkdown) {
  const auto shown = shown_commands_in(
      "Try `fercli help\nattack` or:\n\n    fercli live   # camera 0\n\n```\n$ fercli predict 'a b.png' | less\n```\n",
      false);
  ASSERT_EQ(shown.size(), 3u);
  EXPECT_EQ(shown[0].line, 1u);
  EXPECT_FALSE(shown[0].whole);
  EXPECT_THAT(shown[0].words, ElementsAre("help", "attack"));
  EXPECT_EQ(shown[1].line, 4u);
  EXPECT_THAT(shown[1].words, ElementsAre("live"));
  EXPECT_THAT(shown[2].words, ElementsAre("predict", "a b.png"));
}

TEST(ShownCommands, AreFoundInManualPages) {
  const auto shown = shown_commands_in(".nf\nfercli attack happy\\-to\\-sad \\-\\-eps 4/255\n.fi\nfercli text\n", true);
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_THAT(shown[0].words, ElementsAre("attack", "happy-to-sad", "--eps", "4/255"));
}

TEST(ShownCommands, WholeOnesMustParse) {
  EXPECT_EQ(fault_of({1, {"attack", "happy-to-sad", "--eps", "4/255"}, true}), "");
  EXPECT_THAT(fault_of({1, {"attack", "happy-to-sad", "--epsilon", "4/255"}, true}),
              testing::HasSubstr("unknown option"));
  EXPECT_THAT(fault_of({1, {"attack", "happy-to-sad", "--eps", "much"}, true}), testing::HasSubstr("must be a number"));
  EXPECT_THAT(fault_of({1, {"atack", "happy-to-sad"}, true}), testing::HasSubstr("unknown command"));
}

TEST(ShownCommands, MentionsMustNameWhatExists) {
  EXPECT_EQ(fault_of({1, {"eval", "--attacks", "A,B", "--eps", "GRID"}, false}), "");
  EXPECT_EQ(fault_of({1, {"COMMAND", "--help"}, false}), "");
  EXPECT_EQ(fault_of({1, {"data", "stats|audit|convert", "SOURCE"}, false}), "");
  EXPECT_THAT(fault_of({1, {"data", "stats|sort", "SOURCE"}, false}), testing::HasSubstr("sort"));
  EXPECT_THAT(fault_of({1, {"eval", "--atacks"}, false}), testing::HasSubstr("--atacks: unknown option"));
}

TEST(ShownCommands, TheCheckNamesFileAndLine) {
  const test::ScratchFolder folder;
  write_file(folder / "text.md", "One.\n\n    fercli trian --data x\n");
  const auto result = test::run_in_process({"docs", "check", (folder / "text.md").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, testing::HasSubstr("text.md:3: fercli trian --data x: unknown command 'trian'"));
}

}  // namespace

}  // namespace fercli
