// Parameters that plug-ins declare, and how they are chosen: NAME:parameter=value,…
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "core/options.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

std::vector<Parameter> sample_parameters() {
  return {Parameter::whole("steps", "20", between(1, 100), "how many"),
          Parameter::number("step-size", "", {0, 1, true}, "how long"),
          Parameter::flag("random", "false", "where from"), Parameter::choice("loss", "ce", {"ce", "dlr"}, "what")};
}

std::string reason_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

std::string refusal_of(const Given& given) {
  return reason_of([&] { Values(sample_parameters(), given); });
}

TEST(Parameters, HaveTheirDefaultsAndWhatIsGiven) {
  const Values values(sample_parameters(), {{"steps", "7"}, {"step-size", "1/255"}, {"random", "yes"}});
  EXPECT_EQ(values.json(), nlohmann::json::parse(R"({"steps": 7, "step_size": 0.00392156862745098, "random": true,
                                                     "loss": "ce"})"));
}

TEST(Parameters, WithoutDefaultAreAbsentUntilTheyAreGiven) {
  EXPECT_FALSE(Values(sample_parameters(), {}).has("step-size"));
  EXPECT_TRUE(Values(sample_parameters(), {{"step_size", "0.5"}}).has("step-size"));
}

TEST(Parameters, RefuseWrongValuesAndSayWhatIsAllowed) {
  EXPECT_EQ(refusal_of({{"steps", "0"}}), "steps=0: must be in [1, 100]");
  EXPECT_EQ(refusal_of({{"steps", "2.5"}}), "steps=2.5: must be a whole number in [1, 100]");
  EXPECT_EQ(refusal_of({{"step-size", "8"}}),
            "step-size=8: must be in (0, 1]; pixels are scaled to [0,1], did you mean 8/255?");
  EXPECT_EQ(refusal_of({{"step-size", "300/255"}}), "step-size=300/255: must be in (0, 1]");
  EXPECT_EQ(refusal_of({{"step-size", "1.2"}}),
            "step-size=1.2: must be in (0, 1]; pixels are scaled to [0,1], did you mean 1.2/255?");
  EXPECT_EQ(refusal_of({{"random", "perhaps"}}), "random=perhaps: must be true or false");
  EXPECT_EQ(refusal_of({{"loss", "dl"}}), "loss=dl: must be one of ce, dlr; did you mean dlr?");
}

TEST(Parameters, UnknownOnesAreRefusedWithTheListOfThoseThatThereAre) {
  EXPECT_EQ(refusal_of({{"stps", "3"}}),
            "there is no parameter 'stps'; did you mean steps? (there are steps, step-size, random, loss)");
}

TEST(Chosen, ACommaBeforeAParameterGoesOnAndBeforeANameBeginsTheNext) {
  const auto all = parse_chosen("pgd:steps=40,alpha=1/255, fab, fmn:alpha_max=0.2");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].name, "pgd");
  EXPECT_EQ(all[0].given, (Given{{"steps", "40"}, {"alpha", "1/255"}}));
  EXPECT_EQ(all[1].name, "fab");
  EXPECT_TRUE(all[1].given.empty());
  EXPECT_EQ(all[2].given, (Given{{"alpha-max", "0.2"}}));
}

TEST(Chosen, PiecesThatFitNowhereAreRefused) {
  EXPECT_EQ(reason_of([] { parse_chosen("steps=40"); }), "'steps=40' needs a name before it, as in NAME:steps=40");
  EXPECT_EQ(reason_of([] { parse_chosen("pgd:steps"); }),
            "'pgd:steps' must be NAME, NAME:parameter=value or parameter=value");
  EXPECT_EQ(reason_of([] { parse_chosen("pgd:"); }), "'pgd:' must be NAME, NAME:parameter=value or parameter=value");
  EXPECT_EQ(reason_of([] { parse_chosen(":steps=4"); }),
            "':steps=4' must be NAME, NAME:parameter=value or parameter=value");
  EXPECT_EQ(reason_of([] { parse_chosen("pgd:steps=4,steps=5"); }), "steps is given twice");
  EXPECT_EQ(reason_of([] { parse_chosen("pgd,,fab"); }), "a name is missing between two commas");
  EXPECT_EQ(reason_of([] { parse_one_chosen("pgd,fab"); }), "must name one, and names 2");
}

/// A command with one plug-in, "walk".
struct PlugInCommand {
  OptionSet options{"go", "", "Goes."};
  PlugInCommand() { options.parameters("walk", sample_parameters()); }

  std::string error(const std::string& file) {
    const test::ScratchFolder folder;
    write_file(folder / "a.ini", file);
    return test::message_of([&] { options.parse({"--config", (folder / "a.ini").string()}); });
  }
};

TEST(Parameters, AreReadFromTheirSectionOfAnIniFile) {
  PlugInCommand command;
  EXPECT_EQ(command.error("[walk]\nsteps = 40\nstep_size = 1/255\n"), "");
  EXPECT_EQ(command.options.section_of("walk"), (Given{{"steps", "40"}, {"step-size", "1/255"}}));
  EXPECT_EQ(command.options.provenance().at("walk.steps").at("value"), "40");
}

TEST(Parameters, OfAnIniFileAreCheckedWithFileSectionAndName) {
  EXPECT_THAT(PlugInCommand().error("[walk]\nsteps = 0\n"),
              testing::HasSubstr("a.ini: [walk] steps = 0: must be in [1, 100]"));
  EXPECT_THAT(PlugInCommand().error("[walk]\nstps = 4\n"),
              testing::HasSubstr("unknown key 'walk.stps'; did you mean walk.steps?"));
}

}  // namespace

}  // namespace fercli
