// fercli eval --attacks, verify and attacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "attacks/engine/attack.hpp"
#include "commands/eval_groups.hpp"
#include "commands/options/division_options.hpp"
#include "core/build_info.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/text.hpp"
#include "eval/adversarial_set.hpp"
#include "eval/campaign/estimate.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/data/sample_data.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr double kHeadScale = 400;  ///< makes an untrained network sure of itself
constexpr int64_t kFaces = 35;

/// An untrained network that calls every drawn face the same, so that the faces of that class are right.
class RobustnessCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<ScratchFolder>();
    save_network("model.pt", 3);
    save_network("other.pt", 4);
    const auto drawn = run_in_process({"data", "convert", fmt::format("synthetic:n={},seed=4", kFaces), faces()});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  }

  static void save_network(const std::string& name, uint64_t seed) {
    save_tiny_network(*folder_ / name, seed, kHeadScale);
  }

  static void TearDownTestSuite() { folder_.reset(); }

  static std::string faces() { return (*folder_ / "faces.ferpack").string(); }

  static std::vector<std::string> words(std::vector<std::string> more, const std::string& model = "model.pt") {
    std::vector<std::string> all{
        "eval",        "--model", (*folder_ / model).string(), "--data", faces(), "--split", "all", "--threads", "1",
        "--precision", "fp32"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static ProgramResult eval(const std::vector<std::string>& more) { return run_in_process(words(more)); }

  /// What a part says of the one network.
  static json only_model(const json& part) {
    EXPECT_EQ(part.size(), 1u);
    return *part.begin();
  }

  static json figures(const ProgramResult& run) {
    EXPECT_EQ(run.exit_code, 0) << run.err;
    json document = json::parse(run.out);
    document.erase("timing"), document.erase("options");
    return document;
  }

  static std::unique_ptr<ScratchFolder> folder_;
  const WithoutGnuplot numbers_only_;
};

std::unique_ptr<ScratchFolder> RobustnessCommand::folder_;

TEST_F(RobustnessCommand, PrintsAttacksByEpsWithTheWorstCaseAndWhatOneAnswerWouldScore) {
  const auto run = eval({"--attacks", "fgsm,pgd", "--eps", "1/255,4/255", "--steps", "4"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const char* part : {"eps 1/255", "eps 4/255", "fgsm", "pgd", "worst", "balanced robust accuracy", "always ",
                           "share of each answer", "checks of the evaluation itself"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }
}

TEST_F(RobustnessCommand, QuietPrintsAccuracyAndTheWorstCaseInOneLine) {
  const auto run = eval({"--attacks", "fgsm", "--eps", "1/255,4/255", "-q"});
  EXPECT_THAT(run.out,
              testing::MatchesRegex("accuracy [^\n]+; robust accuracy at Linf eps 4/255: [^\n]+n = 35[^\n]+\n"));
}

TEST_F(RobustnessCommand, FiguresOfAnotherThreatSayWhichItIs) {
  const std::vector<std::string> threat{"--attacks",  "fgsm",   "--eps", "4/255", "--goal",
                                        "any-to-sad", "--mask", "mouth", "--eot", "2"};
  auto quiet = threat, table = threat;
  quiet.emplace_back("-q");
  table.insert(table.end(), {"--format", "csv"});
  const std::string words = "any-to-sad mask [0-9a-f]+ eot 2 model";
  const std::string line = "robust accuracy at Linf eps 4/255, " + words + ": ", out = (*folder_ / "threat").string();
  quiet.insert(quiet.end(), {"--out", out});
  EXPECT_THAT(eval(quiet).out, testing::ContainsRegex(line));
  const auto page = run_in_process({"report", out + "/result.json", "--out", out + "-page", "-q"});
  EXPECT_THAT(page.out, testing::ContainsRegex(line));
  EXPECT_THAT(eval(table).out, testing::ContainsRegex("robust accuracy in Linf [^\n]*, " + words));
}

TEST(GroupTables, SayOfHowManyImagesAFigureIsWhereTheGoalConcernsFewer) {
  const auto share = [](int64_t n) { return json{{"value", 0.5}, {"interval", {0.4, 0.6}}, {"n", n}}; };
  const json robust = {{{"eps", "2/255"}, {"accuracy", share(61)}}, {{"eps", "4/255"}, {"accuracy", share(9)}}};
  const json group = {{"group", "no"}, {"n", 61}, {"accuracy", share(61)}, {"robust", robust}};
  const json column = {{"column", "glasses"}, {"unknown", 0}, {"groups", {group}}, {"gaps", json::array()}};
  const auto row = group_tables({{"fewest", 10}, {"draws", 0}, {"columns", {column}}}, "").at(0).rows.at(0);
  EXPECT_EQ(row.at(3).text, "50.0 (40.0–60.0)");
  EXPECT_EQ(row.at(4).text, "50.0 (40.0–60.0), n = 9");
}

TEST_F(RobustnessCommand, TheFilesTellWhatBecameOfEachImageUnderEachAttackAtEachEps) {
  const auto out = *folder_ / "outcomes";
  const json result =
      figures(eval({"--attacks", "fgsm,pgd", "--eps", "1/255,4/255", "--steps", "2", "--json", "--out", out.string()}));
  const auto lines = split_lines(read_file(out / "outcomes.csv"));
  ASSERT_EQ(lines.size(), 1 + kFaces * 2 * 2u);
  EXPECT_EQ(lines[0], "id,label,clean,attack,eps,answer,robust,distance");
  const auto robust = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    const auto fields = split(line, ',');
    return fields[3] == "pgd" && fields[4] == "4/255" && fields[6] == "1";
  });
  EXPECT_NEAR(static_cast<double>(robust) / kFaces,
              result["metrics"]["robust_accuracy.pgd.4/255"]["value"].get<double>(), 1e-9);
  const auto per_image = split_lines(read_file(out / "per_image.csv"));
  EXPECT_THAT(per_image[0], testing::EndsWith(",distance_fgsm,fgsm@1/255,fgsm@4/255,distance_pgd,pgd@1/255,pgd@4/255"));
  EXPECT_EQ(std::count(per_image[1].begin(), per_image[1].end(), ','),
            std::count(per_image[0].begin(), per_image[0].end(), ','));
}

TEST_F(RobustnessCommand, TheJsonNamesAttackAndEpsAsWritten) {
  const json result = figures(eval({"--attacks", "pgd", "--eps", "1/255,4/255", "--steps", "4", "--json"}));
  const auto& metrics = result["metrics"];
  EXPECT_EQ(metrics["robust_accuracy.pgd.1/255"]["n"], kFaces);
  EXPECT_LE(metrics["robust_accuracy.pgd.4/255"]["value"], metrics["robust_accuracy.pgd.1/255"]["value"]);
  EXPECT_EQ(metrics["robust_accuracy.worst.4/255"], metrics["robust_accuracy.pgd.4/255"]);
  EXPECT_TRUE(metrics.contains("balanced_robust_accuracy.pgd.4/255"));
  EXPECT_EQ(result["threat_model"]["eps"], json({"1/255", "4/255"}));
  EXPECT_EQ(result["per_image"][0]["answers"]["pgd"].size(), 2u);
  EXPECT_GE(only_model(result["parts"]["sanity"]).size(), 9u);
}

TEST_F(RobustnessCommand, MinimumNormAttacksGiveTheWholeLadderAndTheMedian) {
  const json result = figures(eval({"--attacks", "deepfool", "--norm", "l2", "--eps", "0.25,0.5", "--json"}));
  EXPECT_TRUE(result["metrics"].contains("median_minimal_eps.deepfool"));
  EXPECT_EQ(only_model(result["parts"]["robustness"])["minimal_eps"]["curve"].size(),
            33u);  // 0.25 and 0.5 are among them
}

TEST_F(RobustnessCommand, ExplainShowsWhatEachStageBrokeAndCost) {
  const std::vector<std::string> plan{"--attacks", "autoattack,pgd", "--eps", "1/255,8/255", "--steps",
                                      "2",         "--queries",      "12",    "--targets",   "1"};
  const auto with = [&](std::vector<std::string> command, const std::vector<std::string>& more) {
    command.insert(command.end(), plan.begin(), plan.end());
    command.insert(command.end(), more.begin(), more.end());
    return run_in_process(command);
  };
  const json result = figures(with(
      {"eval", "--model", "standard", "--data", "synthetic:n=7,seed=3", "--split", "all", "--threads", "1", "--json"},
      {}));
  const json& tables = result["tables"];
  EXPECT_FALSE(tables.contains("optimality"));
  std::map<std::string, int64_t> forward, broken;
  for (const auto& stage : tables["stages"]) {
    forward[stage["attack"]] += stage["forward"].get<int64_t>();
    broken[stage["attack"]] += stage["broken"].get<int64_t>();
  }
  for (const auto& attack : only_model(result["parts"]["robustness"])["attacks"])
    EXPECT_EQ(attack["forward"], forward[attack["name"]]);
  const auto right_under = [&](const std::string& name) {
    const auto& metric = result["metrics"][name];
    return std::llround(metric["value"].get<double>() * metric["n"].get<double>());
  };
  for (const std::string attack : {"pgd", "autoattack"}) {
    EXPECT_EQ(broken[attack], right_under("accuracy") - right_under("robust_accuracy." + attack + ".8/255")) << attack;
  }
  EXPECT_GT(broken["pgd"] + broken["autoattack"], 0);
  const auto few = words({"--limit", "7"});
  EXPECT_THAT(with(few, {}).out, testing::Not(HasSubstr("what each stage broke")));
  const auto shown = with(few, {"--explain"});
  for (const char* part : {"what each stage broke", "apgd-ce", "forward/image", "all"}) {
    EXPECT_THAT(shown.out, HasSubstr(part));
  }
  EXPECT_THAT(with(few, {"--explain", "--format", "csv"}).out, HasSubstr("autoattack,stage,apgd-ce"));
}

TEST_F(RobustnessCommand, TwoMinimumNormAttacksAreSetBesideTheBestOfBoth) {
  const std::vector<std::string> words{"--attacks", "deepfool,ddn", "--norm", "l2",      "--eps",
                                       "0.5",       "--steps",      "3",      "--limit", "14"};
  EXPECT_THAT(eval(words).out, HasSubstr("optimality of minimum-norm attacks"));
  auto as_json = words;
  as_json.emplace_back("--json");
  const json result = figures(eval(as_json));
  ASSERT_EQ(result["tables"]["optimality"].size(), 2u);
  EXPECT_EQ(result["tables"]["optimality"][1]["attack"], "ddn");
}

TEST_F(RobustnessCommand, BelowTheLeastRobustAccuracyItExitsWithThree) {
  const auto run = eval({"--attacks", "fgsm", "--eps", "8/255", "--min-robust", "0.99"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, HasSubstr("is below --min-robust 0.99"));
  EXPECT_EQ(eval({"--attacks", "fgsm", "--eps", "8/255", "--min-robust", "0"}).exit_code, 0);
}

TEST_F(RobustnessCommand, ALimitTakesTheClassesInProportion) {
  const json result = figures(eval({"--limit", "14", "--json"}));
  EXPECT_EQ(result["n"], 14);
  for (const auto& row : only_model(result["parts"]["clean"])["per_class"]) EXPECT_EQ(row["support"], 2);
}

TEST_F(RobustnessCommand, SavedImagesAreVerifiedAndForeignOnesRefused) {
  const std::string file = (*folder_ / "adv.ferpack").string();
  ASSERT_EQ(eval({"--attacks", "pgd", "--eps", "4/255,8/255", "--save-adv", file}).exit_code, 0);
  const auto verify = [&](const std::string& model, const std::string& data) {
    return run_in_process({"verify", file, "--model", (*folder_ / model).string(), "--data", data, "--threads", "1"});
  };
  const auto good = verify("model.pt", faces());
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("Every claim holds."));
  const auto other_model = verify("other.pt", faces());
  EXPECT_EQ(other_model.exit_code, 2);
  EXPECT_THAT(other_model.err, HasSubstr("--model: is not what these adversarial images were made on"));
  EXPECT_EQ(verify("model.pt", "synthetic:n=35,seed=5").exit_code, 2);
  const auto as_data = run_in_process(
      {"eval", "--model", (*folder_ / "model.pt").string(), "--data", file, "--split", "all", "--threads", "1"});
  EXPECT_EQ(as_data.exit_code, 0) << as_data.err;
  EXPECT_THAT(as_data.out, HasSubstr("accuracy             0.0 %"));
}

TEST_F(RobustnessCommand, ImagesMadeUnderTestTimeAugmentationAreVerifiedUnderIt) {
  const std::string file = (*folder_ / "tta.ferpack").string();
  const auto run = eval({"--tta", "flip", "--attacks", "fgsm", "--eps", "8/255", "--save-adv", file, "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto verified = run_in_process(
      {"verify", file, "--model", (*folder_ / "model.pt").string(), "--data", faces(), "--threads", "1", "--json"});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  EXPECT_EQ(json::parse(verified.out)["robust_accuracy"]["8/255"]["value"],
            json::parse(run.out)["metrics"]["robust_accuracy.worst.8/255"]["value"]);
}

TEST_F(RobustnessCommand, ASetWithoutImagesIsRefused) {
  const std::string file = (*folder_ / "empty.ferpack").string();
  AdversarialSet nothing_broke;
  nothing_broke.images = sample_dataset(1).select({});
  nothing_broke.rows = torch::empty({0}, torch::kInt64);
  nothing_broke.eps = torch::empty({0}, torch::kFloat64);
  save_adversarial(nothing_broke, file);
  const auto run = run_in_process({"eval", "--model", (*folder_ / "model.pt").string(), "--data", file});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("has no images"));
}

TEST_F(RobustnessCommand, OptionsOfAttacksNeedAttacks) {
  const std::vector<std::vector<std::string>> options{{"--steps", "3"},   {"--alpha", "0.1"}, {"--restarts", "2"},
                                                      {"--random-start"}, {"--loss", "ce"},   {"--targets", "2"}};
  for (const auto& words : options) {
    const auto run = eval(words);
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.err, HasSubstr(words[0])) << words[0];
    EXPECT_THAT(run.err, HasSubstr("needs --attacks")) << words[0];
  }
}

TEST_F(RobustnessCommand, AnInterruptedRunGoesOnAndEndsTheSame) {
  const std::vector<std::string> plan{"--attacks", "pgd,square", "--eps",      "1/255,2/255", "--steps", "15",
                                      "--queries", "40",         "--restarts", "2",           "--json"};
  auto interrupted = plan;
  const fs::path out = *folder_ / "out";
  interrupted.insert(interrupted.end(), {"--out", out.string()});
  const auto first = run_fercli(
      words(interrupted), [&] { return fs::exists(out / "robustness.state"); }, 2);
  EXPECT_EQ(first.exit_code, 130) << first.err;
  EXPECT_THAT(first.err, HasSubstr("the same command goes on from"));
  const auto second = eval(interrupted);
  EXPECT_THAT(second.err, HasSubstr("going on from"));
  EXPECT_EQ(figures(second), figures(eval(plan)));
  auto others = interrupted;
  others.insert(others.end(), {"--seed", "1"});
  const auto refused = eval(others);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("belongs to a run that differs in seed"));
}

TEST_F(RobustnessCommand, ShardsMergeToTheResultOfASingleRun) {
  const fs::path out = *folder_ / "sharded";
  const std::vector<std::string> plan{"--attacks", "pgd,square", "--eps",      "1/255,2/255", "--steps", "6",
                                      "--queries", "30",         "--restarts", "2",           "--out",   out.string()};
  const auto single = eval(plan);
  ASSERT_EQ(single.exit_code, 0) << single.err;
  const std::string result = read_file(out / "result.json"), images = read_file(out / "per_image.csv");
  fs::remove_all(out);
  for (const char* shard : {"3/3", "1/3", "2/3"}) {
    auto part = plan;
    part.insert(part.end(), {"--shard", shard});
    const auto run = eval(part);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("shard " + std::string(shard)));
    EXPECT_FALSE(fs::exists(out / "result.json"));
  }
  const auto merged = run_in_process({"merge", out.string()});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  const auto without_speed = [](const std::string& text) {
    return std::regex_replace(text, std::regex("[0-9.,]+ images/s"), "images/s");
  };
  EXPECT_EQ(without_speed(merged.out), without_speed(single.out));
  EXPECT_EQ(read_file(out / "per_image.csv"), images);
  json first = json::parse(result), second = json::parse(read_file(out / "result.json"));
  for (json* document : {&first, &second}) document->erase("timing");
  EXPECT_EQ(second.dump(), first.dump());
}

TEST_F(RobustnessCommand, AShardOfAnotherRunIsRefusedAndAMissingOneNamed) {
  const fs::path out = *folder_ / "torn";
  const auto shard = [&](const char* text, const char* seed) {
    return eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", text, "--seed", seed});
  };
  ASSERT_EQ(shard("1/2", "0").exit_code, 0);
  const auto other = shard("2/2", "1");
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("holds shards of a run that differs in seed"));
  const auto torn = run_in_process({"merge", out.string()});
  EXPECT_EQ(torn.exit_code, 2);
  EXPECT_THAT(torn.err, HasSubstr("shard 2/2 is missing"));
  const auto none = run_in_process({"merge", folder_->path().string()});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("holds no shards"));
}

TEST_F(RobustnessCommand, ShardsThatAreUnfinishedOrOfTwoDivisionsAreNamed) {
  const fs::path out = *folder_ / "divisions";
  const auto shard = [&](const char* text) {
    return eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", text});
  };
  ASSERT_EQ(shard("1/2").exit_code, 0);
  ASSERT_EQ(shard("2/2").exit_code, 0);
  fs::remove(out / "shards" / "2-of-2" / "finished");
  EXPECT_THAT(run_in_process({"merge", out.string()}).err, HasSubstr("shard 2/2 is not finished"));
  ASSERT_EQ(shard("2/2").exit_code, 0);
  fs::copy(out / "shards" / "2-of-2", out / "shards" / "02-of-2", fs::copy_options::recursive);
  EXPECT_THAT(run_in_process({"merge", out.string()}).err, HasSubstr("shard 2/2 is there twice"));
  fs::remove_all(out / "shards" / "02-of-2");
  ASSERT_EQ(shard("1/3").exit_code, 0);
  EXPECT_THAT(run_in_process({"merge", out.string()}).err, HasSubstr("holds shards of different divisions"));
}

TEST_F(RobustnessCommand, ShardsKeepNoRightAndNoPlaceToWrite) {
  const fs::path out = *folder_ / "granted", kept = *folder_ / "kept.pt";
  const auto shard = eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", "1/1",
                           "--trust-code", "--save-adv", kept.string()});
  ASSERT_EQ(shard.exit_code, 0) << shard.err;
  const std::vector<std::string> merge{"merge", out.string(), "--trust-code", "--save-adv", kept.string()};
  EXPECT_THAT(shard.out, HasSubstr("`fercli " + join(merge, " ") + "` makes the result"));
  EXPECT_THAT(json::parse(read_file(out / "shards" / "run.json")).at("arguments").get<std::vector<std::string>>(),
              Not(testing::AnyOf(testing::Contains("--trust-code"), testing::Contains("--save-adv"))));
  const auto without = run_in_process({"merge", out.string()});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  EXPECT_FALSE(fs::exists(kept));
  const auto with = run_in_process(merge);
  EXPECT_EQ(with.exit_code, 0) << with.err;
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(RobustnessCommand, AForgedFolderOfShardsIsRefusedByWhatItAsksFor) {
  const fs::path out = *folder_ / "forged", file = out / "shards" / "run.json", config = *folder_ / "forged.ini";
  ASSERT_EQ(eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", "1/1"}).exit_code, 0);
  const json honest = json::parse(read_file(file));
  const std::string place = (*folder_ / "stolen").string();
  const auto refusal = [&](const std::string& command, const std::vector<std::string>& more,
                           const std::vector<std::string>& by_hand = {}) {
    json run = honest;
    if (by_hand.empty()) run.erase("schema");  // earlier files lack it, and are understood
    run["command"] = command;
    if (command != "eval") run["arguments"] = json::array();
    for (const auto& word : more) run["arguments"].push_back(word);
    write_file(file, run.dump());
    std::vector<std::string> merge{"merge", out.string()};
    merge.insert(merge.end(), by_hand.begin(), by_hand.end());
    return run_in_process(merge).err;
  };
  EXPECT_EQ(refusal("eval", {"--trust-code"}),
            "fercli merge: " + out.string() +
                ": the run asks for --trust-code, which is never taken from a file: add --trust-code to this command "
                "to allow it");
  EXPECT_THAT(refusal("eval", {"--save-adv=" + place}), HasSubstr("the run asks for --save-adv " + place + ", which"));
  EXPECT_THAT(refusal("report", {"--cache", place}), HasSubstr("the run asks for --cache " + place));
  write_file(config, "save-adv = " + place + "\n");
  EXPECT_THAT(refusal("eval", {"--config", config.string()}), HasSubstr("the run asks for --save-adv"));
  write_file(config, "plugin = /tmp/mine.so\n");
  EXPECT_THAT(refusal("eval", {"--config", config.string()}), HasSubstr("the plug-in mine.so is needed: add --plugin"));
  EXPECT_FALSE(fs::exists(place));
  EXPECT_THAT(refusal("verify", {kCheckOnly}), HasSubstr("holds shards of an unknown command"));
  EXPECT_THAT(refusal("eval", {"--save-adv", place, "--trust-code"}, {"--save-adv", place + "-2", "--trust-code"}),
              Not(HasSubstr("the run asks for")));
  EXPECT_FALSE(fs::exists(place));
  EXPECT_TRUE(fs::exists(place + "-2"));
}

TEST_F(RobustnessCommand, ShardsOfALaterSchemaAreRefused) {
  const fs::path out = *folder_ / "later", file = out / "shards" / "run.json";
  ASSERT_EQ(eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", "1/1"}).exit_code, 0);
  json run = json::parse(read_file(file));
  run["schema"] = "fercli-shards/9";
  write_file(file, run.dump());
  const auto merged = run_in_process({"merge", out.string()});
  EXPECT_EQ(merged.exit_code, 2);
  EXPECT_THAT(merged.err, HasSubstr("run.json: is of another schema than fercli-shards/1, which this fercli reads"));
}

TEST_F(RobustnessCommand, ShardsOfAnotherBuildAreMergedWithAWarning) {
  const fs::path out = *folder_ / "builds";
  ASSERT_EQ(eval({"--attacks", "fgsm", "--eps", "1/255", "--out", out.string(), "--shard", "1/1"}).exit_code, 0);
  EXPECT_THAT(run_in_process({"merge", out.string()}).err, Not(HasSubstr("not of one build")));
  write_file(out / "shards" / "1-of-1" / "finished", "0123456789ab");
  const auto merged = run_in_process({"merge", out.string()});
  EXPECT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_THAT(merged.err, testing::AllOf(HasSubstr("not of one build (revisions"), HasSubstr("0123456789ab"),
                                         HasSubstr(git_revision())));
}

TEST_F(RobustnessCommand, AShardMayHaveNoImage) {
  const fs::path out = *folder_ / "empty-shards";
  const std::vector<std::string> plan{"--limit", "2", "--attacks", "fgsm", "--eps", "1/255", "--out", out.string()};
  const auto single = eval(plan);
  ASSERT_EQ(single.exit_code, 0) << single.err;
  const std::string images = read_file(out / "per_image.csv");
  for (int index = 1; index <= 4; ++index) {
    auto part = plan;
    part.insert(part.end(), {"--shard", fmt::format("{}/4", index)});
    const auto run = eval(part);
    ASSERT_EQ(run.exit_code, 0) << index << run.err;
  }
  const auto merged = run_in_process({"merge", out.string()});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(read_file(out / "per_image.csv"), images);
}

TEST_F(RobustnessCommand, AnEstimateTellsTheCostAndWritesNothing) {
  const fs::path out = *folder_ / "estimated";
  const auto run = eval({"--attacks", "fgsm,pgd", "--eps", "1/255", "--estimate", "--out", out.string()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const json result = figures(eval({"--json"}));
  const int64_t right = std::lround(result["metrics"]["accuracy"]["value"].get<double>() * kFaces);
  EXPECT_THAT(run.out, HasSubstr(fmt::format("{0} images to attack, estimated from {0} of them: ", right)));
  EXPECT_THAT(run.out, HasSubstr(" core-hours; 2 processes of one thread take about "));
  EXPECT_FALSE(fs::exists(out));
  EXPECT_THAT(eval({"--estimate"}).err, HasSubstr("needs --attacks"));
  EXPECT_THAT(eval({"--attacks", "fgsm", "--estimate", "--shard", "1/2", "--out", out.string()}).err,
              HasSubstr("does not go with --shard"));
}

TEST(CostOf, ManyProcessesIsThatOfOneDividedButForTheSerialPart) {
  EXPECT_EQ(describe_cost(7200, 0, 2),
            "4 core-hours; 2 processes of one thread take about 2 h 00 min, 8 about 30 min 00 s, 64 about 3 min 45 s");
  EXPECT_THAT(describe_cost(7200, 3600, 1), HasSubstr("64 about 1 h 00 min"));
}

TEST_F(RobustnessCommand, WrongShardsAreExplained) {
  for (const char* text : {"0/3", "4/3", "1", "a/b", "1/2/3"}) {
    const auto run = eval({"--attacks", "fgsm", "--out", (*folder_ / "wrong").string(), "--shard", text});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_THAT(run.err, HasSubstr(fmt::format("--shard {}: must be I/N", text)));
  }
  EXPECT_THAT(eval({"--attacks", "fgsm", "--shard", "1/2"}).err, HasSubstr("needs --out"));
  EXPECT_THAT(eval({"--shard", "1/2"}).err, HasSubstr("needs --attacks"));
}

TEST(ShardAuto, TakesThePlaceThatTheClusterGave) {
  using Variables = std::map<std::string, std::string>;
  const auto place = [](const Variables& set) {
    const auto shard = parse_shard("auto", [&](const char* name) {
      const auto found = set.find(name);
      return found == set.end() ? nullptr : found->second.c_str();
    });
    return std::pair(shard.index, shard.of);
  };
  const Variables array{{"SLURM_ARRAY_TASK_ID", "12"}, {"SLURM_ARRAY_TASK_MIN", "10"}, {"SLURM_ARRAY_TASK_COUNT", "4"}};
  EXPECT_EQ(place(array), (std::pair<int64_t, int64_t>(2, 4)));
  auto several = array;
  several.insert({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "2"}});
  EXPECT_EQ(place(several), (std::pair<int64_t, int64_t>(5, 8)));
  EXPECT_EQ(place({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "3"}}), (std::pair<int64_t, int64_t>(1, 3)));
  EXPECT_EQ(place({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}}), (std::pair<int64_t, int64_t>(0, 2)));
  EXPECT_THAT(user_error([&] { place({}); }), HasSubstr("--shard auto: finds no job"));
  const auto task = [](const char* id, const char* first, const char* last, const char* step, const char* count) {
    return Variables{{"SLURM_ARRAY_TASK_ID", id},
                     {"SLURM_ARRAY_TASK_MIN", first},
                     {"SLURM_ARRAY_TASK_MAX", last},
                     {"SLURM_ARRAY_TASK_STEP", step},
                     {"SLURM_ARRAY_TASK_COUNT", count}};
  };
  EXPECT_EQ(place(task("7", "1", "9", "3", "3")), (std::pair<int64_t, int64_t>(2, 3)));
  for (const auto& gaps : {task("2", "2", "5", "1", "2"), task("5", "2", "5", "1", "2")}) {  // --array=2,5
    EXPECT_EQ(user_error([&] { place(gaps); }), "--shard auto: the job array has gaps; name the part with --shard I/N");
  }
  EXPECT_THAT(user_error([&] {
                place({{"SLURM_ARRAY_TASK_ID", "3"}, {"SLURM_ARRAY_TASK_COUNT", "3"}});
              }),
              HasSubstr("has gaps"));
}

TEST_F(RobustnessCommand, WrongOptionsAreExplained) {
  EXPECT_THAT(eval({"--eps", "8/255"}).err, HasSubstr("--eps 8/255: needs --attacks"));
  EXPECT_THAT(eval({"--attacks", "pgdd"}).err, HasSubstr("unknown attack 'pgdd'; did you mean pgd?"));
  EXPECT_THAT(eval({"--attacks", "pgd,pgd"}).err, HasSubstr("is named twice"));
  EXPECT_THAT(eval({"--attacks", "pgd", "--eps", "8"}).err, HasSubstr("did you mean 8/255?"));
  EXPECT_THAT(eval({"--attacks", "pgd", "--norm", "l0"}).err, HasSubstr("attack 'pgd' does not work in L0"));
  EXPECT_THAT(eval({"--attacks", "pgd", "--eps", "inf", "--norm", "l2"}).err, HasSubstr("--eps inf: must be finite"));
  EXPECT_THAT(
      eval({"--attacks", "pgd", "--eps", "0.5/255,1/255"}).err,
      HasSubstr("--eps 0.5/255,1/255: must be at least 1/255, one level of 8-bit images, or nothing can change; "
                "--float leaves images unrounded"));
  EXPECT_THAT(eval({"--attacks", "fgsm,bim", "--restarts", "2"}).err,
              HasSubstr("--restarts has no effect: fgsm, bim do not use it"));
  EXPECT_THAT(eval({"--attacks", "pgd", "--float", "--save-adv", "x"}).err, HasSubstr("holds 8-bit images"));
  EXPECT_THAT(run_in_process({"verify", (*folder_ / "model.pt").string()}).err, HasSubstr("where a dataset is needed"));
}

TEST(AttacksCommand, ListsEveryAttack) {
  const auto text = run_in_process({"attacks"});
  const json list = json::parse(run_in_process({"attacks", "--json"}).out);
  const auto& entries = Registry<AttackEntry>::instance().all();
  ASSERT_EQ(list.size(), entries.size());
  for (const auto& entry : entries) {
    EXPECT_THAT(text.out, HasSubstr("\n" + entry.name));
    EXPECT_THAT(text.out, HasSubstr(entry.paper));
    const auto listed =
        std::find_if(list.begin(), list.end(), [&](const json& one) { return one["name"] == entry.name; });
    EXPECT_EQ((*listed)["search_precision"], to_string(entry.search_precision)) << entry.name;
  }
}

}  // namespace

}  // namespace fercli::test
