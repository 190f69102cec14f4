// --attack NAME:parameter=value,…, the sections of INI files, and the shorthands beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.hpp"
#include "eval/study/part.hpp"
#include "models/checkpoint.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A small untrained network in a file, the same for all tests.
std::string tiny_network() {
  static const ScratchFolder folder;
  const auto file = folder / "tiny.pt";
  if (!std::filesystem::exists(file)) save_tiny_network(file, 3, 400);
  return file.string();
}

ProgramResult eval(std::vector<std::string> more) {
  std::vector<std::string> words{"eval",    "--model", tiny_network(), "--data", "synthetic:n=7,seed=4",
                                 "--split", "all",     "--json",       "--eps",  "2/255"};
  words.insert(words.end(), more.begin(), more.end());
  return run_in_process(words);
}

/// The first attack as the result describes it.
json attack_of(const ProgramResult& result, size_t place = 0) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? json::parse(result.out).at("attacks").at(place) : json::object();
}

void expect_refused(const ProgramResult& result, const std::string& sentence) {
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr(sentence));
  EXPECT_EQ(result.out, "");
}

TEST(AttackParameters, FollowTheNameOfTheirAttack) {
  const auto result = eval({"--attacks", "pgd:steps=2,alpha=1/255,fgsm:loss=margin,square:queries=9,p=0.3"});
  EXPECT_EQ(attack_of(result, 0).at("steps"), 2);
  EXPECT_NEAR(attack_of(result, 0).at("alpha"), 1 / 255.0, 1e-12);
  EXPECT_EQ(attack_of(result, 1).at("loss"), "margin");
  EXPECT_EQ(attack_of(result, 2).at("queries"), 9);
  EXPECT_EQ(attack_of(result, 2).at("p"), 0.3);
}

TEST(AttackParameters, WinOverTheShorthandsWhichCountForTheOtherAttacks) {
  const auto result = eval({"--attacks", "pgd:steps=2,bim", "--steps", "3"});
  EXPECT_EQ(attack_of(result, 0).at("steps"), 2);
  EXPECT_EQ(attack_of(result, 1).at("steps"), 3);
}

TEST(AttackParameters, ComeFromASectionOfTheIniFileToo) {
  const ScratchFolder folder;
  write_file(folder / "a.ini", "attacks = pgd,bim\nsteps = 4\n[pgd]\nsteps = 2\nrandom_start = true\n");
  const std::string file = (folder / "a.ini").string();
  const auto of_file = eval({"--config", file});
  EXPECT_EQ(attack_of(of_file, 0).at("steps"), 2);
  EXPECT_EQ(attack_of(of_file, 0).at("random_start"), true);
  EXPECT_EQ(attack_of(of_file, 1).at("steps"), 4);
  EXPECT_EQ(attack_of(eval({"--config", file, "--steps", "3"}), 0).at("steps"), 3);
  EXPECT_EQ(attack_of(eval({"--config", file, "--attacks", "pgd:steps=5"}), 0).at("steps"), 5);
}

TEST(AttackParameters, FollowANameInAnyCaseAndLeaveTheNormToTheAttack) {
  const auto result = eval({"--attacks", "PGD:steps=2"});
  EXPECT_EQ(attack_of(result).at("name"), "pgd");
  EXPECT_EQ(attack_of(result).at("steps"), 2);
  const auto elastic = eval({"--attacks", "ead:steps=2"});
  EXPECT_EQ(attack_of(elastic).at("steps"), 2);
  EXPECT_EQ(attack_of(elastic).at("norm"), "L1");
}

TEST(AttackParameters, SettlePapersConstants) {
  for (const auto& [attack, name, value] : std::vector<std::tuple<std::string, std::string, double>>{
           {"apgd-ce", "rho", 0.5}, {"mi-fgsm", "decay", 0.5}, {"fmn", "gamma", 0.1}, {"fab", "alpha_max", 0.2}}) {
    const auto words = attack + ":steps=2," + name + "=" + json(value).dump();
    EXPECT_EQ(attack_of(eval({"--attacks", words})).at(name), value) << words;
  }
}

TEST(AttackParameters, WrongOnesAreRefusedWithWhatIsAllowed) {
  expect_refused(eval({"--attacks", "pgd:stps=2"}),
                 "--attacks pgd:stps=2: attack 'pgd': there is no parameter 'stps'; did you mean steps? (there are "
                 "steps, alpha, restarts, random-start, loss, confidence)");
  expect_refused(eval({"--attacks", "pgd:steps=0"}), "attack 'pgd': steps=0: must be in [1, 1000000]");
  expect_refused(eval({"--attacks", "pgd:alpha=2"}),
                 "alpha=2: must be in (0, 1]; pixels are scaled to [0,1], did you mean 2/255?");
  expect_refused(eval({"--attacks", "apgd-ce:loss=dlr"}), "loss=dlr: must be ce");
  expect_refused(eval({"--attacks", "pgd,fab,pgd:steps=3"}), "attack 'pgd' is named twice");
  expect_refused(eval({"--attacks", "steps=3"}), "'steps=3' needs a name before it");
  expect_refused(eval({"--attacks", "pgdd:steps=3"}), "unknown attack 'pgdd'; did you mean pgd?");
  expect_refused(run_in_process({"attack", "untargeted", "--attack", "pgd,fgsm"}), "--attack pgd,fgsm: must be one");
}

TEST(AttackParameters, OfOneAttackAreShownWithDefaultsRangesAndPaper) {
  const auto result = run_in_process({"attacks", "fab-t"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("arXiv:2003.01690"));
  EXPECT_THAT(result.out, HasSubstr("alpha-max"));
  EXPECT_THAT(result.out, HasSubstr("a number in [0, 1]; default: 0.1"));
  const auto list = json::parse(run_in_process({"attacks", "fab-t", "--json"}).out).at("parameters");
  EXPECT_TRUE(std::any_of(list.begin(), list.end(),
                          [](const json& each) { return each.at("name") == "targets" && each.at("default") == "9"; }));
  expect_refused(run_in_process({"attacks", "deepfol"}), "unknown attack 'deepfol'; did you mean deepfool?");
}

TEST(LossParameters, AreRecordedInTheCheckpoint) {
  const ScratchFolder folder;
  const WithoutGnuplot no_curves;
  write_file(folder / "a.ini", "[trades]\nbeta = 2\nattack_steps = 2\n");
  const auto train = [&](const std::string& out, std::vector<std::string> more) {
    std::vector<std::string> words{"train",
                                   "--data",
                                   "synthetic:n=42,size=16",
                                   "--arch",
                                   "small-cnn:width=4",
                                   "--size",
                                   "16",
                                   "--epochs",
                                   "1",
                                   "--validation-share",
                                   "0.3",
                                   "--robust-images",
                                   "7",
                                   "--robust-steps",
                                   "1",
                                   "--batch-size",
                                   "8",
                                   "--quiet",
                                   "--out",
                                   (folder / out).string(),
                                   "--config",
                                   (folder / "a.ini").string()};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = run_in_process(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return load_checkpoint(folder / out / "last.pt");
  };
  const auto named = train("named", {"--loss", "trades:beta=3", "--beta", "5"});
  EXPECT_EQ(named.training.at("options").at("beta"), 3);
  EXPECT_EQ(named.training.at("options").at("attack-steps"), 2);
  EXPECT_EQ(named.options.settings.at("width"), 4);
  EXPECT_EQ(train("file", {"--loss", "trades"}).training.at("options").at("beta"), 2);
  EXPECT_EQ(train("shorthand", {"--loss", "trades", "--beta", "5"}).training.at("options").at("beta"), 5);
}

TEST(LossParameters, WrongOnesAreRefusedWithWhatIsAllowed) {
  const auto train = [](const std::string& loss) {
    return run_in_process({"train", "--data", "synthetic:n=14", "--loss", loss});
  };
  expect_refused(train("trades:beta=-1"), "--loss trades:beta=-1: beta=-1: must be at least 0");
  expect_refused(train("trades:bta=1"),
                 "there is no parameter 'bta'; did you mean beta? (there are beta, attack-steps, "
                 "alpha, attack-statistics)");
  expect_refused(train("free:attack-statistics=running"), "attack-statistics=running: must be batch");
  expect_refused(train("trade:beta=1"), "did you mean trades?");
  expect_refused(train("trades,mart"), "must name one, and names 2");
}

TEST(ArchitectureParameters, ShapeTheNetwork) {
  const auto summary = [](std::vector<std::string> words) {
    words.insert(words.begin(), "summary");
    words.push_back("--json");
    const auto result = run_in_process(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out).at("parameters").get<int64_t>();
  };
  EXPECT_EQ(summary({"--arch", "resnet:width=8"}), summary({"--arch", "resnet", "--set", "width=8"}));
  EXPECT_LT(summary({"--arch", "resnet:width=8,stages=2"}), summary({"--arch", "resnet:width=8"}));
}

TEST(ArchitectureParameters, WrongOnesAreRefusedWithWhatIsAllowed) {
  expect_refused(run_in_process({"summary", "--arch", "resnet:width=0"}),
                 "--arch resnet:width=0: width=0: must be in [1, 4096]");
  expect_refused(run_in_process({"summary", "--arch", "resnet:widht=8"}),
                 "there is no parameter 'widht'; did you mean width? (there are width, stages, blocks, dropout)");
}

TEST(PartParameters, SayHowMuchIsMeasured) {
  const ScratchFolder folder;
  const WithoutGnuplot no_figures;
  const auto result = run_in_process({"report", "--model", tiny_network(), "--data", "synthetic:n=14,seed=4", "--split",
                                      "all", "--parts", "smoothing:draws=30,images=2", "--smoothing-draws", "50",
                                      "--out", (folder / "report").string(), "--json", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto parts = json::parse(result.out).at("parts").at("smoothing");
  const auto& figures = parts.begin().value();
  EXPECT_EQ(figures.at("n"), 30);
  EXPECT_EQ(figures.at("images"), 2);
}

TEST(PartParameters, HaveDefaultsOfAQuickAndOfAFullStudy) {
  EXPECT_EQ(StudyPlan::quick().budget("smoothing", "draws"), 200);
  EXPECT_EQ(StudyPlan::full().budget("smoothing", "draws"), 1000);
  EXPECT_EQ(StudyPlan::full().budget("corruptions", "images"), 0);
  for (const auto& part : Registry<StudyPart>::instance().all()) {
    EXPECT_EQ(part.full.size(), part.parameters.size()) << part.name;
    EXPECT_NO_THROW(part.values(StudyPlan::full())) << part.name;
  }
}

TEST(PartParameters, WrongOnesAreRefusedWithWhatIsAllowed) {
  expect_refused(run_in_process({"report", "--parts", "smoothing:draws=0"}), "draws=0: must be in [1, 1000000]");
  expect_refused(run_in_process({"report", "--parts", "clean:images=3"}),
                 "there is no parameter 'images' (there are none)");
  expect_refused(run_in_process({"report", "--parts", "clear"}), "unknown part 'clear'; did you mean clean?");
}

}  // namespace

}  // namespace fercli::test
