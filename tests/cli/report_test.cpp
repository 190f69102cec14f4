// fercli report and compare.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "core/files.hpp"
#include "models/checkpoint.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/drawn_faces.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/report/without_gnuplot.hpp"

namespace fercli::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr double kHeadScale = 400;  ///< makes an untrained network sure of itself

class ReportCommand : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const WithoutGnuplot numbers_only;
    folder_ = std::make_unique<ScratchFolder>();
    save_network("first", 3);
    save_network("second", 4);
    ASSERT_EQ(report("first,second", "out", {"--parts", "clean,robustness"}).exit_code, 0);
    for (const char* model : {"first", "second"}) eval(model);
  }

  static std::string faces() { return drawn_once("synthetic:n=35,seed=4"); }

  static void eval(const std::string& model) {
    const auto run = run_in_process({"eval", "--model", file(model + ".pt"), "--data", faces(), "--attacks", "fgsm,pgd",
                                     "--out", file("eval-" + model), "--threads", "1", "--precision", "fp32"});
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }

  static void TearDownTestSuite() { folder_.reset(); }

  static void save_network(const std::string& name, uint64_t seed) {
    save_tiny_network(file(name + ".pt"), seed, kHeadScale);
  }

  static std::string file(const std::string& name) { return (*folder_ / name).string(); }

  static std::vector<std::string> words(const std::string& models, const std::string& out,
                                        const std::vector<std::string>& more) {
    std::string files;
    for (const auto& name : split(models, ',')) files += (files.empty() ? "" : ",") + file(name + ".pt");
    std::vector<std::string> all{"report",  "--model",   files, "--data",      faces(), "--out",
                                 file(out), "--threads", "1",   "--precision", "fp32"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static ProgramResult report(const std::string& models, const std::string& out, const std::vector<std::string>& more) {
    return run_in_process(words(models, out, more));
  }

  static json saved(const std::string& out) { return json::parse(read_file(file(out + "/report.json"))); }

  /// Without what a clock says.
  static json figures(const std::string& out) {
    json document = saved(out);
    document.erase("options");
    document["parts"].erase("cost");
    for (auto& [model, part] : document["parts"]["robustness"].items()) {
      for (auto& attack : part["attacks"]) attack.erase("seconds");
    }
    return document;
  }

  static void expect_error(const std::vector<std::string>& arguments, const std::string& message) {
    const auto run = run_in_process(arguments);
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr(message));
  }

  static std::unique_ptr<ScratchFolder> folder_;
};

std::unique_ptr<ScratchFolder> ReportCommand::folder_;

TEST_F(ReportCommand, WritesThePageTheTextTheFiguresAndTheNumbers) {
  ASSERT_EQ(report("first", "drawn", {"--parts", "clean"}).exit_code, 0);
  for (const char* name : {"report.html", "report.md", "report.json", "figures"}) {
    EXPECT_TRUE(fs::exists(file(std::string("drawn/") + name))) << name;
  }
  const json document = saved("out");
  EXPECT_EQ(document.at("schema"), "fercli/2");
  EXPECT_EQ(document.at("mode"), "quick");
  EXPECT_EQ(document.at("dataset").at("n"), 35);
  EXPECT_EQ(document.at("models").at(1).at("name"), "second");
  EXPECT_EQ(document.at("options").at("parts").at("source"), "command line");
  EXPECT_THAT(document.at("warnings").dump(), HasSubstr("35 of the 35 images are Training images"));
}

TEST_F(ReportCommand, ComparesGroupsAsEvalDoes) {
  const WithoutGnuplot texts_only;
  std::string table = "id,site\n";
  const json ids = saved("out").at("outcomes").at("first").at("ids");
  for (const auto& id : ids)
    table += fmt::format("{},{}\n", id.get<std::string>(), table.size() % 3 == 0 ? "clinic" : "street");
  write_file(file("sites.csv"), table);
  for (const std::string& groups : {std::string("data"), file("sites.csv")}) {
    const auto written = report(
        "first", "grouped", {"--parts", "clean,robustness", "--eps", "2/255,8/255", "--seed", "5", "--groups", groups});
    ASSERT_EQ(written.exit_code, 0) << written.err;
    EXPECT_THAT(written.out, HasSubstr(groups == "data" ? "first: By skin" : "first: By site"));
    const auto judged = run_in_process({"eval", "--model", file("first.pt"), "--data", faces(), "--attacks", "fgsm,pgd",
                                        "--eps", "2/255,8/255", "--seed", "5", "--groups", groups, "--threads", "1",
                                        "--precision", "fp32", "--json"});
    ASSERT_EQ(judged.exit_code, 0) << judged.err;
    const json expected = json::parse(judged.out).at("parts").at("groups").at("first");
    EXPECT_EQ(saved("grouped").at("parts").at("groups").at("first"), expected);
    EXPECT_EQ(expected.at("columns").at(0).at("groups").at(0).at("robust").size(), 2u);
    EXPECT_THAT(read_file(file("grouped/report.md")), HasSubstr("For whom it fails"));
  }
  expect_error(words("first", "grouped", {"--groups", "data", "--parts", "robustness"}),
               "--groups data: needs the part clean, which --parts leaves out");
  expect_error(words("first", "grouped", {"--groups", file("none.csv")}), "none.csv: ");
  expect_error({"report", file("eval-first/result.json"), "--groups", "data", "--out", file("grouped")},
               "--groups data: does not go with saved results");
}

/// A report of every kind of part: without attacks, of one network, of two, and of certificates.
std::vector<std::string> of_all_kinds(const std::string& draws = "40") {
  return {"--parts",
          "clean,robustness.minimal_eps,transfer,smoothing",
          "--limit",
          "14",
          "--smoothing-images",
          "4",
          "--smoothing-draws",
          draws,
          "--groups",
          "data"};
}

void drop_times(json& value) {
  if (value.is_object()) value.erase("seconds");
  for (auto& part : value) {
    if (part.is_structured()) drop_times(part);
  }
}

TEST_F(ReportCommand, ShardsMergeToTheReportOfASingleRun) {
  const WithoutGnuplot texts_only;
  const auto whole = report("first,second", "sharded", of_all_kinds());
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  json single = saved("sharded");
  fs::remove_all(file("sharded"));
  for (const char* shard : {"2/2", "1/2"}) {
    auto part = of_all_kinds();
    part.insert(part.end(), {"--shard", shard});
    const auto run = report("first,second", "sharded", part);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_FALSE(fs::exists(file("sharded/report.json")));
    EXPECT_FALSE(fs::exists(file("sharded/cache")));
  }
  const auto merged = run_in_process({"merge", file("sharded")});
  ASSERT_EQ(merged.exit_code, 0) << merged.err;
  EXPECT_EQ(merged.out, whole.out);
  json joined = saved("sharded");
  drop_times(single), drop_times(joined);
  EXPECT_EQ(joined.dump(), single.dump());
}

TEST_F(ReportCommand, AShardOfAnotherReportIsRefusedAndAMissingOneNamed) {
  const auto shard = [](const std::string& model, const char* text, const char* draws) {
    auto part = of_all_kinds(draws);
    part[1] = "smoothing,clean";
    part.insert(part.end(), {"--shard", text});
    return report(model, "torn", part);
  };
  ASSERT_EQ(shard("first", "1/2", "40").exit_code, 0);
  EXPECT_THAT(shard("first", "2/2", "41").err, HasSubstr("holds shards of a run that differs in options of smoothing"));
  EXPECT_THAT(shard("second", "2/2", "40").err, HasSubstr("differs in models"));
  const auto merged = run_in_process({"merge", file("torn")});
  EXPECT_EQ(merged.exit_code, 2);
  EXPECT_THAT(merged.err, HasSubstr("shard 2/2 is missing"));
}

TEST_F(ReportCommand, ARerunTakesEverythingFromTheCacheAndSaysTheSame) {
  const WithoutGnuplot texts_only;
  const json before = saved("out");
  const auto again = report("first,second", "out", {"--parts", "clean,robustness"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(saved("out"), before);
  EXPECT_THAT(again.out, HasSubstr("robust accuracy in Linf"));
  EXPECT_THAT(again.err, HasSubstr("4 of 4 parts are in "));
  EXPECT_THAT(again.err, Not(HasSubstr("[1/4]")));
}

TEST_F(ReportCommand, AnInterruptedReportGoesOnAndEndsTheSame) {
  const WithoutGnuplot texts_only;
  const std::vector<std::string> plan{"--parts", "clean,robustness"};
  const fs::path cache = file("interrupted/cache");
  const auto stopped = run_fercli(
      words("first,second", "interrupted", plan), [&] { return fs::exists(cache); }, 2);
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("the same command goes on from"));
  EXPECT_FALSE(fs::exists(file("interrupted/report.json")));
  const auto resumed = report("first,second", "interrupted", plan);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("parts are in "));
  EXPECT_EQ(figures("interrupted"), figures("out"));
}

TEST_F(ReportCommand, AFullOneSaysFirstWhatItWillTake) {
  const WithoutGnuplot texts_only;
  const auto run = report("first", "full", {"--full", "--parts", "clean"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("clean of first                             35 images  about "));
  EXPECT_THAT(run.err, HasSubstr("in all, as far as 35 images tell"));
  EXPECT_EQ(saved("full").at("mode"), "full");
}

TEST_F(ReportCommand, RendersWhatEvalSaved) {
  const WithoutGnuplot texts_only;
  const auto run = run_in_process({"report", file("eval-first/result.json"), file("eval-second/result.json"), "--out",
                                   file("rendered"), "--lang", "fr"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(read_file(file("rendered/report.html")), HasSubstr("lang=\"fr\""));
  const json rendered = saved("rendered"), measured = saved("out");
  for (const char* model : {"first", "second"}) {
    const json &a = rendered["parts"]["robustness"][model], &b = measured["parts"]["robustness"][model];
    for (const char* key : {"worst", "per_class", "share_predicted", "constant_answer", "eps", "eps_value", "norm"}) {
      EXPECT_EQ(a.at(key), b.at(key)) << key;
    }
    for (const char* key : {"metrics", "per_class", "confusion_matrix", "reliability", "share_predicted"}) {
      EXPECT_EQ(rendered["parts"]["clean"][model].at(key), measured["parts"]["clean"][model].at(key)) << key;
    }
    EXPECT_EQ(rendered["outcomes"][model]["attacks"], measured["outcomes"][model]["attacks"]);
  }
}

TEST_F(ReportCommand, ASavedReportIsRenderedAsItIs) {
  const WithoutGnuplot texts_only;
  const auto run = run_in_process({"report", file("out/report.json"), "--out", file("again")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(read_file(file("again/report.json")), read_file(file("out/report.json")));
  EXPECT_EQ(read_file(file("again/report.md")), read_file(file("out/report.md")));
}

TEST_F(ReportCommand, AModelThatAPartLeavesOutIsNoError) {
  const WithoutGnuplot texts_only;
  json report = saved("out");
  report["parts"]["robustness"].erase("second");
  write_file(file("partial.json"), report.dump());
  const auto result = run_in_process({"report", file("partial.json"), "--out", file("partial")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(fs::exists(file("partial/report.html")));
}

TEST_F(ReportCommand, AViolatedInvariantIsAWarningOnTop) {
  const WithoutGnuplot texts_only;
  // Of the first dialect, in which invariants are checked when the result is read.
  std::string text = read_file(std::string(FERCLI_TEST_FOLDER) + "/golden/first_dialect/result.json");
  json result = json::parse(std::regex_replace(text, std::regex("fmn"), "pgd"));
  for (auto& image : result["per_image"]) {
    for (auto& answer : image["answers"]["fgsm"]) answer = image["label"] == "Happy" ? "Sad" : "Happy";
    for (auto& answer : image["answers"]["pgd"]) answer = image["label"];
  }
  write_file(file("violated.json"), result.dump());
  const auto run = run_in_process({"report", file("violated.json"), "--out", file("violated")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("pgd <= fgsm does not hold at Linf eps 1/255"));
  const json warning = saved("violated").at("warnings").at(0);
  EXPECT_EQ(warning.at("model"), "standard");
  EXPECT_EQ(warning.at("key"), "invariants.violated");
  EXPECT_THAT(warning.at("text").get<std::string>(), HasSubstr("pgd <= fgsm does not hold"));
  text = read_file(file("violated/report.md"));
  EXPECT_LT(text.find("contradict each other"), text.find("## Summary"));
}

TEST_F(ReportCommand, WrongOptionsAreExplained) {
  expect_error({"report", "--quick", "--full"}, "--quick and --full: give one of them, not both");
  expect_error({"report", "--parts", "robustnes"}, "unknown part 'robustnes'; did you mean robustness?");
  expect_error({"report", "--eps", "8"}, "did you mean 8/255?");
  expect_error({"report", "--at", "4"}, "--at 4: must be in (0, 1]");
  expect_error({"report", "--smoothing-draws", "0"}, "--smoothing-draws 0: must be in [1, 1000000]");
  expect_error({"report", file("out/report.json"), "--model", "standard"}, "does not go with saved results");
  expect_error({"report", "--at", "0.3"}, "--at 0.3: must be at most 32/255 for the part vulnerability");
  const std::vector<std::vector<std::string>> measuring{
      {"--autoattack-images", "5"}, {"--smoothing-draws", "9"}, {"--seed", "1"}, {"--scale=0,1"}, {"--skip-bad"}};
  for (auto words : measuring) {
    words.insert(words.begin(), {"report", file("out/report.json")});
    expect_error(words, "does not go with saved results");
  }
  expect_error({"report", file("none.json")}, "none.json: no such file");
  expect_error({"report", file("first.pt")}, "first.pt: is not JSON");
}

TEST_F(ReportCommand, ComparesTheModelsOfOneReportOrOfTwoFiles) {
  const auto one = run_in_process({"compare", file("out/report.json")});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("first against second: 35 images in common"));
  EXPECT_THAT(one.out, HasSubstr("pgd Linf 4/255"));
  const auto two = run_in_process({"compare", file("out/report.json"), file("out/report.json"), "--json"});
  const json comparisons = json::parse(two.out).at("comparisons");
  ASSERT_EQ(comparisons.size(), 6u);
  EXPECT_EQ(comparisons[1].at("second"), "first-2");
  for (const auto& test : comparisons[1].at("tests")) EXPECT_EQ(test.at("p"), 1);
  EXPECT_EQ(comparisons[0].at("tests").size(), 9u);
}

TEST_F(ReportCommand, NetworksThatWereMeasuredUnderNoCommonConditionHaveNoTest) {
  json report = saved("out");
  for (auto& [model, outcomes] : report["outcomes"].items()) {
    outcomes.erase("answers");
    outcomes.erase("attacks");
  }
  write_file(file("unmeasured.json"), report.dump());
  const auto run = run_in_process({"compare", file("unmeasured.json"), "-q"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("35 images in common; no test"));
}

TEST_F(ReportCommand, OtherImagesOfTheSameNamesAreNotCompared) {
  const WithoutGnuplot numbers_only;
  const auto run = run_in_process({"eval", "--model", file("first.pt"), "--data", "synthetic:n=35,seed=5", "--out",
                                   file("eval-other"), "--threads", "1", "--precision", "fp32"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  expect_error({"compare", file("eval-first/result.json"), file("eval-other/result.json")}, "has other pixels");
}

TEST_F(ReportCommand, ResultsWithTwoImagesOfOneIdAreRefused) {
  json result = json::parse(read_file(file("eval-first/result.json")));
  auto& ids = result["outcomes"]["first"]["ids"];
  ids[1] = ids[0];
  write_file(file("repeated.json"), result.dump());
  const std::string reason = "repeated.json: two images are called " + ids[0].get<std::string>();
  expect_error({"compare", file("eval-first/result.json"), file("repeated.json")}, reason);
  expect_error({"report", file("repeated.json"), "--out", file("repeated")}, reason);
}

TEST_F(ReportCommand, ComparingOneModelWithNothingIsExplained) {
  const WithoutGnuplot texts_only;
  ASSERT_EQ(report("first", "single", {"--parts", "clean"}).exit_code, 0);
  expect_error({"compare", file("single/report.json")}, "has one model; give a second file");
}

}  // namespace

}  // namespace fercli::test
