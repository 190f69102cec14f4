// The study behind `fercli report`: cache, parts, invariants, saved reports, comparisons.
#include "eval/study/study.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.hpp"
#include "eval/study/cache.hpp"
#include "eval/study/compare.hpp"
#include "eval/study/invariants.hpp"
#include "eval/study/part.hpp"
#include "eval/study/saved.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::message_of;
using testing::HasSubstr;

TEST(StudyCache, FindsAnyChangedByteOfAnEntry) {
  const test::ScratchFolder folder;
  const StudyCache cache(folder.path());
  const json key{{"seed", 1}}, value{{"accuracy", 0.5}, {"n", 70}};
  cache.store("clean", key, value);
  const auto file = std::filesystem::directory_iterator(folder.path())->path();
  const std::string whole = read_file(file);
  for (size_t i = 0; i + 1 < whole.size(); ++i) {  // the last is the line's end
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    write_file(file, damaged);
    testing::internal::CaptureStderr();
    const auto found = cache.find("clean", key);
    testing::internal::GetCapturedStderr();
    EXPECT_TRUE(!found || *found == value) << "byte " << i << ": " << damaged;
  }
}

TEST(StudyCache, FindsWhatWasStoredUnderTheSameKeyAlone) {
  const test::ScratchFolder folder;
  const StudyCache cache(folder.path());
  cache.store("clean", {{"seed", 1}}, {{"accuracy", 0.5}});
  EXPECT_EQ(cache.find("clean", {{"seed", 1}})->at("accuracy"), 0.5);
  EXPECT_FALSE(cache.find("clean", {{"seed", 2}}));
  EXPECT_FALSE(cache.find("robustness", {{"seed", 1}}));
}

TEST(StudyCache, DoesNotTrustADamagedEntry) {
  const test::ScratchFolder folder;
  const StudyCache cache(folder.path());
  cache.store("clean", {{"seed", 1}}, {{"accuracy", 0.5}});
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) write_file(file.path(), "{\"key\": {}");
  EXPECT_FALSE(cache.find("clean", {{"seed", 1}}));
}

TEST(StudyCache, AFinishedMeasurementNeedsItsStateNoMore) {
  const test::ScratchFolder folder;
  const StudyCache cache(folder.path());
  const auto state = cache.state("robustness", {{"seed", 1}});
  const std::filesystem::path piece = state.string() + "-eyes", other = cache.state("robustness", {{"seed", 2}});
  for (const auto& file : {state, piece, other}) write_file(file, "half");
  cache.store("robustness", {{"seed", 1}}, json::object());
  EXPECT_FALSE(std::filesystem::exists(state));
  EXPECT_FALSE(std::filesystem::exists(piece)) << "a part may keep several campaigns beside";
  EXPECT_TRUE(std::filesystem::exists(other));
}

/// Four images, the last of them misclassified; `broken` for the other three.
json outcomes_with(std::vector<int> pgd, std::vector<int> autoattack) {
  const std::vector<int> rows{0, 1, 2, 3};
  return {{"ids", {"a", "b", "c", "d"}},
          {"labels", {0, 1, 0, 1}},
          {"answers", {0, 1, 0, 0}},
          {"attacks",
           {{{"attack", "pgd"}, {"norm", "Linf"}, {"eps", {"1/255", "4/255"}}, {"rows", rows}, {"broken", pgd}},
            {{"attack", "autoattack"}, {"norm", "Linf"}, {"eps", {"4/255"}}, {"rows", rows}, {"broken", autoattack}}}}};
}

std::vector<Invariant> invariants_of(const json& outcomes) {
  return check_invariants(Shape<ImageOutcomes>::read(outcomes), "net");
}

std::vector<std::string> violations(const json& outcomes) {
  std::vector<std::string> lines;
  for (const auto& warning : violations_in(invariants_of(outcomes))) lines.push_back(warning.line());
  return lines;
}

TEST(Invariants, HoldWhereStrongerAttacksLeaveLess) {
  const auto outcomes = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
  EXPECT_TRUE(violations(outcomes).empty());
  EXPECT_EQ(invariants_of(outcomes).size(), 4u);  // pgd falls, pgd <= clean twice, autoattack <= pgd
}

TEST(Invariants, AStrongerAttackThatLeavesMoreIsFoundAndSaidWithItsImages) {
  const auto found = violations(outcomes_with({1, 1, 0, -1}, {1, 0, 0, -1}));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0],
            "net: autoattack <= pgd does not hold at Linf eps 4/255: 25.0 % against 0.0 % of the same 4 images");
}

TEST(Invariants, AnAttackIsNotTakenForTheOneWhoseNameItsOwnBeginsWith) {
  auto outcomes = outcomes_with({1, 1, 0, -1}, {1, 0, 0, -1});
  for (auto& attack : outcomes["attacks"]) {
    if (attack.at("attack") == "autoattack") attack["attack"] = "autoattack-fast";
  }
  EXPECT_TRUE(violations(outcomes).empty());
}

TEST(Invariants, OnlyImagesThatBothAttacksSawAreCompared) {
  auto outcomes = outcomes_with({1, 1, 0, -1}, {1, 0, 0, -1});
  outcomes["attacks"][1]["rows"] = {1, 2};
  outcomes["attacks"][1]["broken"] = {0, 0};
  EXPECT_TRUE(violations(outcomes).empty());
}

TEST(Invariants, ACertificateAboveAnAttackIsShownWithWhatItMeans) {
  auto outcomes = outcomes_with({2, 2, 2, -1}, {1, 1, 1, -1});
  outcomes["attacks"].push_back(
      {{"attack", "pgd"}, {"norm", "L2"}, {"eps", {"0.25", "0.5"}}, {"rows", {0, 1, 2, 3}}, {"broken", {0, 1, 2, -1}}});
  outcomes["certified"] = {{{"sigma", 0.25}, {"rows", {0, 1, 2, 3}}, {"radius", {0.6, 0.3, nullptr, 0.1}}}};
  EXPECT_TRUE(violations(outcomes).empty());
  outcomes["certified"][0]["radius"] = {0.6, 0.3, 0.3, 0.1};
  const auto found = violations(outcomes);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0], HasSubstr("certified (sigma 0.25) <= pgd does not hold at L2 eps 0.25: 75.0 % against 50.0 %"));
  EXPECT_THAT(found[0], HasSubstr("about the smoothed network"));
}

TEST(Invariants, AStrongerSearchOnASurrogateNeedNotBeTheStrongerAttack) {
  auto outcomes = outcomes_with({0, 0, 0, -1}, {2, 2, 2, -1});
  ASSERT_FALSE(violations(outcomes).empty());
  for (auto& attack : outcomes["attacks"]) attack["surrogate"] = "digest";
  EXPECT_TRUE(violations(outcomes).empty());
}

json report_with(const json& outcomes, const std::string& name = "net") {
  return {{"schema", Result::kSchema},
          {"command", "report"},
          {"mode", "saved"},
          {"n", 4},
          {"dataset", {{"name", "blobs"}, {"split", "all"}, {"n", 4}, {"digest", "d"}, {"classes", {"Happy", "Sad"}}}},
          {"models", {{{"name", name}}}},
          {"parts", {{"clean", {{name, json::object()}}}, {"cost", {{"clean", {{name, json::object()}}}}}}},
          {"outcomes", {{name, outcomes}}},
          {"invariants", json::array()},
          {"options", json::object()},
          {"seed", 0},
          {"environment", json::object()},
          {"warnings", {{{"model", name}, {"text", "careful"}}}}};
}

TEST(PairedModels, PairsEveryConditionThatBothModelsHave) {
  auto second = outcomes_with({2, 2, 0, 2}, {1, 1, 0, 1});
  second["answers"] = {0, 1, 0, 1};
  second["attacks"].erase(1);
  const auto comparison =
      compare_models(report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1})), "net", report_with(second), "net");
  ASSERT_EQ(comparison.tests.size(), 3u);
  const PairedTest& at_4 = comparison.tests[2];
  EXPECT_EQ(at_4.condition, "pgd Linf 4/255");
  EXPECT_EQ(at_4.figures.images.only_first, 0);
  EXPECT_EQ(at_4.figures.images.only_second, 2);
  EXPECT_EQ(at_4.figures.p, 0.5);
  EXPECT_EQ(at_4.p_holm, 1);
}

TEST(PairedModels, RefusesImagesThatAreNotTheSame) {
  const auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  auto relabelled = report, others = report, bare = report;
  relabelled["outcomes"]["net"]["labels"] = {1, 1, 0, 1};
  others["outcomes"]["net"]["ids"] = {"e", "f", "g", "h"};
  bare.erase("outcomes");
  const auto message = [&](const json& other) {
    return message_of([&] { compare_models(report, "net", other, "net"); });
  };
  EXPECT_THAT(message(relabelled), HasSubstr("image a is Happy in one result and Sad in the other"));
  EXPECT_THAT(message(others), HasSubstr("no image in common"));
  EXPECT_THAT(message(bare), HasSubstr("no outcomes of its images"));
}

TEST(PairedModels, RefusesOtherPixelsUnderTheSameNameUnlessTheirShapeIsAnother) {
  auto first = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}), second = first;
  first["pixels"] = {"48x48x1:0", "48x48x1:1", "48x48x1:2", "48x48x1:3"};
  second["pixels"] = {"48x48x1:0", "48x48x1:1", "48x48x1:4", "48x48x1:3"};
  EXPECT_THAT(message_of([&] { compare_models(report_with(first), "net", report_with(second), "net"); }),
              HasSubstr("image c has other pixels in one result than in the other"));
  second["pixels"][2] = "64x64x1:4";
  EXPECT_EQ(compare_models(report_with(first), "net", report_with(second), "net").images, 4);
}

TEST(PairedModels, AttacksOfAnotherThreatAreNoCommonCondition) {
  const auto plain = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
  const auto conditions = [&](const json& first, const json& second) {
    std::vector<std::string> names;
    const auto comparison = compare_models(report_with(first), "net", report_with(second), "net");
    for (const auto& test : comparison.tests) names.push_back(test.condition);
    return names;
  };
  const std::vector<std::pair<const char*, json>> restrictions{
      {"goal", "any-to-Sad"}, {"mask", "0123456789"}, {"surrogate", "0123456789"}, {"pixel_grid", false}};
  for (const auto& [name, value] : restrictions) {
    auto other = plain;
    for (auto& attack : other["attacks"]) attack[name] = value;
    EXPECT_THAT(conditions(plain, other), testing::ElementsAre("clean")) << name;
    EXPECT_EQ(conditions(other, other).size(), 4u) << name;
  }
}

TEST(PairedModels, AttacksMadeOnOtherNetworksOrOverOtherDrawsAreNoCommonCondition) {
  const auto made_on = [](const std::string& maker) {
    auto outcomes = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
    for (auto& attack : outcomes["attacks"]) attack["surrogate"] = maker;
    return report_with(outcomes);
  };
  const std::string net(64, 'a'), other(64, 'b');
  const std::vector<std::string> makers{net,
                                        net + "+" + other + ":logits",
                                        net + "+" + other + ":margin",
                                        net + ":eot 20 model 0",
                                        ":eot 20 model 0",
                                        ":eot 20 camera 0"};
  for (const auto& first : makers) {
    for (const auto& second : makers) {
      const auto tests = compare_models(made_on(first), "net", made_on(second), "net").tests.size();
      EXPECT_EQ(tests > 1, first == second) << first << " and " << second;
    }
  }
  const auto paired = compare_models(made_on(net + "+" + other + ":logits:eot 20 camera 0"), "net",
                                     made_on(net + "+" + other + ":logits:eot 20 camera 7"), "net");
  EXPECT_THAT(paired.tests.at(1).condition, testing::EndsWith(" surrogate aaaaaaaa+bbbbbbbb:logits eot 20 camera"));
}

TEST(PairedModels, AttacksWithOtherSettingsArePairedAndMarked) {
  auto first = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}), second = first;
  first["attacks"][0]["settings"] = {{"steps", 20}, {"eps", 0.1}, {"alpha", 0.01}};
  second["attacks"][0]["settings"] = {{"steps", 50}, {"eps", 0.1}, {"alpha", 0.01}};
  const auto marked = [&] {
    const auto comparison = compare_models(report_with(first), "net", report_with(second), "net");
    return comparison.tests.at(1).settings_differ.has_value();
  };
  EXPECT_TRUE(marked());
  second["attacks"][0]["settings"] = {{"steps", 20}, {"eps", 0.2}, {"alpha", 0.02}};  // a longer ladder
  EXPECT_FALSE(marked());
}

TEST(MergedReports, RenameModelsAndNoFigures) {
  auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}), "robust");
  report["parts"]["robustness"]["robust"] = {{"per_class", {{{"class", "Happy"}, {"robust", {0.5}}}}}};
  report["parts"]["transfer"] = {{"models", {"robust"}}, {"success", json::array()}};
  report["invariants"] = {{{"model", "robust"}, {"name", "robust"}}};
  const auto merged = merge_reports({report, report});
  const json& robustness = merged.at("parts").at("robustness");
  EXPECT_EQ(robustness.at("robust-2"), robustness.at("robust"));
  EXPECT_EQ(merged.at("invariants").at(1), json({{"model", "robust-2"}, {"name", "robust"}}));
}

TEST(MergedReports, ANewNameIsNotThatOfAnotherModel) {
  const auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  auto two = report;
  two["models"].push_back({{"name", "net-2"}});
  two["outcomes"]["net-2"] = two["outcomes"]["net"];
  EXPECT_EQ(merge_reports({report, two}).at("outcomes").size(), 3u);
}

TEST(MergedReports, HoldAllModelsUnderNamesOfTheirOwn) {
  const auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  const auto merged = merge_reports({report, report});
  EXPECT_EQ(merged.at("models").at(1).at("name"), "net-2");
  EXPECT_TRUE(merged.at("parts").at("clean").contains("net-2"));
  EXPECT_TRUE(merged.at("parts").at("cost").at("clean").contains("net-2"));
  EXPECT_EQ(merged.at("outcomes").size(), 2u);
  EXPECT_EQ(merged.at("warnings"),
            json({{{"model", "net"}, {"text", "careful"}}, {{"model", "net-2"}, {"text", "careful"}}}));
}

TEST(MergedReports, KeepApartWhatTheirRunsDifferIn) {
  const auto outcomes = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
  auto first = report_with(outcomes, "a"), second = report_with(outcomes, "b"), third = report_with(outcomes, "c");
  first["mode"] = "quick";
  second["seed"] = 7;
  second["options"]["eps"] = {{"value", "8/255"}, {"source", "command line"}};
  const auto merged = merge_reports({merge_reports({first, second}), third});
  const json& models = merged.at("models");
  EXPECT_EQ(merged.at("mode"), "saved");
  EXPECT_EQ(models.at(0).at("seed"), 0);
  EXPECT_EQ(models.at(1).at("seed"), 7);
  EXPECT_EQ(models.at(1).at("options"), second["options"]);
  EXPECT_EQ(models.at(2).at("seed"), 0);
  EXPECT_FALSE(models.at(0).contains("environment")) << "the same in all";
}

TEST(MergedReports, ShowTheTransferOfTheFirstAndSayWhichIsLeftOut) {
  const auto outcomes = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
  auto first = report_with(outcomes), second = report_with(outcomes, "n");
  const json shown = {{"models", {"net"}}, {"n", 4}, {"success", {0.5}}}, other = {{"models", {"n"}}, {"n", 3}};
  second["parts"]["transfer"] = other;
  EXPECT_EQ(merge_reports({first, second}).at("parts").at("transfer"), other);
  first["parts"]["transfer"] = shown;
  const auto merged = merge_reports({first, second});
  EXPECT_EQ(merged.at("parts").at("transfer"), shown);
  EXPECT_THAT(merged.at("warnings").back().at("text").get<std::string>(),
              HasSubstr("the transfer between n is left out"));
  EXPECT_EQ(merged.at("warnings").back().at("key"), "transfer-left-out");
}

TEST(MergedReports, KeepPartsThatTheFirstNetworkOfAFileLacks) {
  const auto outcomes = outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1});
  auto two = report_with(outcomes, "a");
  two["models"].push_back({{"name", "b"}});
  two["parts"]["clean"].erase("a");
  two["parts"]["clean"]["b"] = json::object();
  EXPECT_TRUE(merge_reports({report_with(outcomes), two}).at("parts").at("clean").contains("b"));
}

TEST(MergedReports, MustBeAboutTheSameImages) {
  const auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  auto other = report;
  other["dataset"]["digest"] = "e";
  EXPECT_THAT(message_of([&] { merge_reports({report, other}); }), HasSubstr("are about different images (blobs, all"));
}

TEST(MergedReports, MustSayWhichImagesTheyAreAbout) {
  const auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  const std::vector<json> not_digests{nullptr, "", 5};
  for (const auto& digest : not_digests) {
    auto silent = report;
    silent["dataset"]["digest"] = digest;
    EXPECT_THAT(message_of([&] {
                  merge_reports({silent, silent});
                }),
                HasSubstr("the result of net has no digest of its images (blobs, all), so it cannot be joined"));
    EXPECT_THAT(message_of([&] { merge_reports({report, silent}); }), HasSubstr("has no digest")) << digest;
    EXPECT_EQ(merge_reports({silent}), silent);
  }
}

TEST(SavedReport, ModelsAreCalledByTheirFolderWhereTheirFileSaysNothing) {
  EXPECT_EQ(short_model_name("standard"), "standard");
  EXPECT_EQ(short_model_name("models/robust.pt"), "robust");
  EXPECT_EQ(short_model_name("out/first/best.pt"), "first");
}

TEST(SavedReport, FilesOfAnotherKindAreRefused) {
  const test::ScratchFolder folder;
  const auto file = folder / "other.json";
  write_file(file, "{\"schema\": \"something\"}");
  EXPECT_THAT(message_of([&] { read_report(file); }), HasSubstr("is not a result of fercli"));
  write_file(file, "not at all");
  EXPECT_THAT(message_of([&] { read_report(file); }), HasSubstr("is not JSON"));
}

TEST(SavedReport, AnIncompleteOrTornReportIsRefusedByName) {
  const test::ScratchFolder folder;
  const auto file = folder / "report.json";
  const auto message = [&](const json& report) {
    write_file(file, report.dump());
    return message_of([&] { read_report(file); });
  };
  EXPECT_THAT(message({{"schema", Result::kSchema}}), HasSubstr("report.json: is not a complete result"));
  const auto whole = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
  write_file(file, whole.dump());
  EXPECT_EQ(read_report(file), whole);
  for (const char* key : {"models", "parts", "dataset", "warnings"}) {
    auto part = whole;
    part.erase(key);
    EXPECT_THAT(message(part), HasSubstr("report.json: is not a complete result")) << key;
  }
  auto torn = whole;
  torn["outcomes"]["net"]["answers"] = {0, 1};
  EXPECT_THAT(message(torn), HasSubstr("report.json: the outcomes of net do not fit together"));
  torn = whole;
  torn["outcomes"]["net"]["ids"][2] = "b";
  EXPECT_THAT(message(torn), HasSubstr("report.json: two images are called b, so the outcomes of net cannot be told"));
  torn = whole;
  torn["outcomes"]["net"]["attacks"][0]["rows"][0] = 4;
  EXPECT_THAT(message(torn), HasSubstr("report.json: the outcomes of net do not fit together"));
  torn = whole;
  torn["outcomes"]["net"]["attacks"][0]["mask"] = 5;
  EXPECT_THAT(message(torn), HasSubstr("report.json: is not a complete result")) << "a digest is a text";
  for (const char* key : {"n", "seed"}) {
    torn = whole;
    torn[key] = "x";
    EXPECT_THAT(message(torn), HasSubstr("report.json: is not a complete result")) << key;
  }
  for (const char* place :
       {"/outcomes", "/invariants", "/parts/transfer", "/parts/cost/clean", "/parts/groups/net", "/parts/sanity/net"}) {
    torn = whole;
    torn[json::json_pointer(place)] = json::array({"x"});
    EXPECT_THAT(message(torn), HasSubstr("report.json: is not a complete result")) << place;
  }
  torn = whole;
  torn["outcomes"]["net"]["attacks"][0]["eps"] = std::vector<std::string>(257, "1/255");
  EXPECT_THAT(message(torn), HasSubstr("report.json: is not a complete result")) << "of too many eps";
}

TEST(SavedReport, CurvesWithoutOneFigureForEachEpsAreRefused) {
  const test::ScratchFolder folder;
  const auto file = folder / "report.json";
  const json metric = {{"value", 0.5}, {"interval", {0.4, 0.6}}, {"n", 4}};
  const auto message = [&](const char* part, const json& eps, const json& curve) {
    auto report = report_with(outcomes_with({2, 1, 0, -1}, {1, 0, 0, -1}));
    json& figures = report["parts"][part]["net"];
    figures = curve;
    figures["eps"] = eps;
    write_file(file, report.dump());
    return message_of([&] { read_report(file); });
  };
  const json two = {{"robust_accuracy", {metric, metric}}}, none = {{"robust_accuracy", json::array()}};
  const json eps = {"2/255", "4/255"};
  EXPECT_EQ(message("autoattack", eps, two), "");
  EXPECT_EQ(message("robustness", eps, {{"attacks", {two}}, {"worst", two}}), "");
  const std::string torn = "report.json: the part robustness of net does not have one robust accuracy of each attack";
  EXPECT_THAT(message("robustness", eps, {{"attacks", {two, none}}, {"worst", two}}), HasSubstr(torn));
  EXPECT_THAT(message("robustness", eps, {{"worst", none}}), HasSubstr(torn));
  EXPECT_THAT(message("robustness", json::array(), {{"worst", none}}), HasSubstr(torn));
  EXPECT_THAT(message("autoattack", {"4/255"}, two), HasSubstr("report.json: the part autoattack of net"));
}

constexpr int64_t kSide = 16, kImages = 12;

class StudyOf : public testing::Test {
 protected:
  StudyOf() {
    plan_.parts = {"clean", "robustness", "calibration_under_attack", "gallery"};
    plan_.ladder = parse_ladder("1/255,4/255", Norm::Linf);
  }

  static Dataset blobs() {
    Dataset data;
    data.name = "blobs";
    data.images = test::test_images(kImages, kSide, 0, 255);
    const Classifier network = test::confident_cnn(kSide);
    data.labels = network.logits(to_float(data.images)).argmax(1);
    data.labels[0] = (data.labels[0].item<int64_t>() + 1) % 7;
    data.classes = network.classes();
    for (int64_t i = 0; i < kImages; ++i) {
      data.ids.push_back(fmt::format("blob-{}", i));
      data.splits.push_back(Split::None);
    }
    return data;
  }

  static StudyModel model(const std::string& name) {
    const Classifier network = test::confident_cnn(kSide);
    return {name,    {{"arch", "small-cnn"}}, "digest of " + name, network, network, blobs(),
            blobs(), {"made for a test"}};
  }

  json run() const { return run_study(models_, plan_, folder_.path()); }

  test::ScratchFolder folder_;
  StudyPlan plan_ = StudyPlan::quick();
  std::vector<StudyModel> models_{model("net")};
};

TEST_F(StudyOf, AModelHasEveryPartWithItsCostAndTheOutcomesOfItsImages) {
  plan_.parts.push_back("robustness.minimal_eps");
  const auto report = run();
  const auto& parts = report.at("parts");
  EXPECT_EQ(parts.at("clean").at("net").at("metrics").at("accuracy").at("n"), kImages);
  const auto& robustness = parts.at("robustness").at("net");
  EXPECT_EQ(robustness.at("attacks").size(), 2u);
  EXPECT_EQ(robustness.at("worst").at("robust_accuracy").size(), 2u);
  EXPECT_EQ(robustness.at("minimal_eps").at("attack"), "fmn");
  EXPECT_EQ(parts.at("calibration_under_attack").at("net").at("attacked").at("accuracy").at("n"), kImages);
  EXPECT_GE(parts.at("sanity").at("net").size(), 9u);
  EXPECT_GT(parts.at("cost").at("robustness").at("net").at("forward"), 0);
  EXPECT_EQ(report.at("outcomes").at("net").at("attacks").at(0).at("broken").at(0), -1);
  EXPECT_THAT(report.at("warnings"), testing::Contains(json({{"model", "net"}, {"text", "made for a test"}})));
  for (const auto& shown : parts.at("gallery").at("net")) EXPECT_EQ(shown.at("drawn"), true);
}

TEST_F(StudyOf, ASecondRunAsksTheNetworkNothingAndSaysTheSame) {
  const auto first = run();
  const int64_t asked = models_[0].judge.forwards();
  EXPECT_GT(asked, 0);
  EXPECT_EQ(run(), first);
  EXPECT_EQ(models_[0].judge.forwards(), asked);
}

TEST_F(StudyOf, TheSameFileReadInAnotherWayIsMeasuredAgain) {
  plan_.parts = {"clean"};
  run();
  const Classifier original = test::confident_cnn(kSide);
  NetworkSpec spec = original.spec();
  spec.preprocessing = {1, kSide, {0.1}, {0.5}};
  const Classifier brighter(original.model(), spec);
  models_[0].judge = models_[0].search = brighter;
  run();
  EXPECT_GT(brighter.forwards(), 0);
}

TEST_F(StudyOf, RenamedImagesAreFoundUnderTheirNewNames) {
  plan_.parts = {"clean", "robustness"};
  const auto before = run().at("outcomes").at("net");
  for (auto& id : models_[0].images.ids) id = "new-" + id;
  const auto after = run().at("outcomes").at("net");
  EXPECT_EQ(after.at("ids").at(3), "new-blob-3");
  EXPECT_EQ(after.at("attacks"), before.at("attacks"));
}

TEST_F(StudyOf, NamesThatAreNotUtf8AreNoObstacleToTheCache) {
  plan_.parts = {"clean", "robustness"};
  models_[0].images.ids[3] = "caf\xe8";
  models_[0].images.ids[4] = "caf\xe9";
  const auto first = run();
  const int64_t asked = models_[0].judge.forwards();
  EXPECT_EQ(run(), first);
  EXPECT_EQ(models_[0].judge.forwards(), asked);
  json document = first;
  document.update({{"dataset", {{"name", "blobs"}}}, {"options", json::object()}});
  write_document(document, folder_ / "report.json");
  EXPECT_THAT(read_file(folder_ / "report.json"), HasSubstr("caf\xef\xbf\xbd"));
}

TEST_F(StudyOf, OnlyWhatDependsOnAChangedOptionIsMeasuredAgain) {
  const auto first = run();
  plan_.at = {"2/255", 2 / 255.0};
  models_[0] = model("net");
  const auto second = run();
  EXPECT_EQ(second.at("parts").at("robustness"), first.at("parts").at("robustness"));
  EXPECT_NE(second.at("parts").at("calibration_under_attack"), first.at("parts").at("calibration_under_attack"));
  EXPECT_EQ(models_[0].judge.backwards(),
            second["parts"]["cost"]["calibration_under_attack"]["net"]["backward"].get<int64_t>() +
                second["parts"]["cost"]["gallery"]["net"]["backward"].get<int64_t>());
}

TEST_F(StudyOf, TheBatchSizeChangesNoFigure) {
  auto first = run();
  plan_.batch_size = 5;
  const test::ScratchFolder other;
  auto second = run_study(models_, plan_, other.path());
  EXPECT_EQ(second.at("outcomes"), first.at("outcomes"));
  EXPECT_EQ(second.at("parts").at("calibration_under_attack"), first.at("parts").at("calibration_under_attack"));
  EXPECT_EQ(second.at("parts").at("clean"), first.at("parts").at("clean"));
}

TEST_F(StudyOf, TwoModelsAreShownToEachOthersImages) {
  models_.push_back(model("other"));
  plan_.parts = {"transfer"};
  const auto transfer = run().at("parts").at("transfer");
  EXPECT_EQ(transfer.at("success").size(), 2u);
  EXPECT_EQ(transfer.at("models"), json({"net", "other"}));
}

TEST_F(StudyOf, AModelThatReadsOtherImagesIsRefused) {
  models_.push_back(model("other"));
  models_[1].images = models_[1].images.select({1, 2});
  EXPECT_THAT(message_of([&] { run(); }), HasSubstr("--model other: reads other images than net"));
}

TEST_F(StudyOf, APartThatDoesNotExistIsExplained) {
  plan_.parts = {"smooting"};
  EXPECT_THAT(message_of([&] { run(); }), HasSubstr("unknown part 'smooting'; did you mean smoothing?"));
}

TEST(StudyPilot, ExpectsWorkForWhatStandsAtEachEps) {
  const Pilot pilot{1, 0.8, {1 / 255.0, 4 / 255.0}, {0.5, 0.1}, 2304, 7};
  EXPECT_DOUBLE_EQ(pilot.robust_at(Norm::Linf, 2 / 255.0), 0.5);
  EXPECT_DOUBLE_EQ(pilot.robust_at(Norm::L2, 0.1), 0.8);
  EXPECT_DOUBLE_EQ(pilot.ladder_passes(Norm::Linf, parse_ladder("1/255,4/255", Norm::Linf), 10, 100),
                   1 + 0.3 * 10 + 0.5 * 100 + 0.4 * 10 + 0.1 * 100);
}

}  // namespace

}  // namespace fercli
