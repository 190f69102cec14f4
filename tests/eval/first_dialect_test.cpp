#include "eval/first_dialect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.hpp"
#include "eval/clean_figures.hpp"
#include "eval/ladder_figures.hpp"
#include "eval/result.hpp"
#include "eval/study/saved.hpp"
#include "record/document_kind.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli {

namespace {

using nlohmann::json;

/// What fercli wrote before `fercli/2` of `eval --model standard.pt --data synthetic:n=7,seed=3 --split all --attacks
/// fgsm,fmn:steps=10 --eps 1/255,4/255 --groups data --json`.
std::filesystem::path old_result() {
  return std::filesystem::path(FERCLI_TEST_FOLDER) / "golden" / "first_dialect" / "result.json";
}

TEST(FirstDialect, AResultHasEveryFigureInTheNewPlaces) {
  const json old = json::parse(read_file(old_result()));
  const Result result = read_result(old_result());
  const auto robustness = Shape<LadderFigures>::read(result.parts.at("robustness").at("standard"));
  const auto clean = Shape<CleanFigures>::read(result.parts.at("clean").at("standard"));
  EXPECT_EQ(json(clean.confusion_matrix), old["tables"]["confusion_matrix"]);
  EXPECT_EQ(clean.per_class, old["per_class"]);
  EXPECT_EQ(clean.reliability.size(), old["tables"]["reliability"].size());
  EXPECT_EQ(to_json(clean.metrics.at("nll")), old["metrics"]["nll"]);
  EXPECT_EQ(robustness.base.eps, (std::vector<std::string>{"1/255", "4/255"}));
  for (const auto& entry : old["tables"]["robustness"]) {
    const size_t budget = entry["eps"] == "1/255" ? 0 : 1;
    if (entry["attack"] == "worst") {
      EXPECT_EQ(to_json(robustness.base.per_class[0].robust[budget]), entry["per_class"][0]["robust_accuracy"]);
      EXPECT_EQ(to_json(robustness.share_predicted[budget][1]), entry["answers"][1]["share"]);
      continue;
    }
    const auto& attack = robustness.attacks[entry["attack"] == "fgsm" ? 0 : 1];
    EXPECT_EQ(to_json(attack.curves.robust_accuracy[budget]),
              old["metrics"]["robust_accuracy." + attack.curves.name + "." + entry["eps"].get<std::string>()]);
    EXPECT_EQ(to_json(attack.by_class->at(6).robust[budget]), entry["per_class"][6]["robust_accuracy"]);
    EXPECT_EQ(to_json(attack.by_class->at(6).predicted[budget]), entry["answers"][6]["share"]);
  }
  EXPECT_EQ(robustness.minimal_eps->attack, "fmn");
  EXPECT_EQ(Shape<std::vector<EpsPoint>>::write(robustness.minimal_eps->curve), old["tables"]["curves"][0]["points"]);
  EXPECT_EQ(result.parts.at("groups").at("standard"), old["tables"]["groups"]);
  for (size_t i = 0; i < old["tables"]["sanity"].size(); ++i) {
    const json flag = result.parts.at("sanity").at("standard").at(i), &said = old["tables"]["sanity"][i];
    EXPECT_EQ(flag["flag"], said["flag"]);
    EXPECT_EQ(flag["found"], json({{"text", said["found"]}}));
    EXPECT_EQ(flag["meaning"], json({{"text", said["meaning"]}}));
  }
  EXPECT_EQ(result.tables.at("stages"), old["tables"]["stages"]);
  EXPECT_FALSE(result.tables.contains("robustness"));
  EXPECT_EQ(result.model().at("digest"), old["model"]["digest"]);
}

TEST(FirstDialect, AnOutcomeIsTheFirstEpsAtWhichAnImageIsAnsweredWrongly) {
  const json old = json::parse(read_file(old_result()));
  const Result result = read_result(old_result());
  const ImageOutcomes& outcomes = result.outcomes.at("standard");
  for (const auto& attacked : outcomes.attacks) {
    for (size_t i = 0; i < old["per_image"].size(); ++i) {
      const json& image = old["per_image"][i];
      const json& answers = image["answers"][attacked.attack];
      const int64_t first = answers[0] != image["label"] ? 0 : answers[1] != image["label"] ? 1 : 2;
      EXPECT_EQ(attacked.broken.at(i), image["predicted"] == image["label"] ? first : -1) << i;
      EXPECT_EQ(outcomes.ids.at(i), image["id"]);
    }
  }
}

TEST(FirstDialect, AResultFitsTodaysSchemaAndMakesAReport) {
  const json schema = schema_document(Registry<DocumentKind>::instance().get("result"));
  EXPECT_EQ(test::schema_fault(schema, read_document(old_result())), "");
  const json report = read_report(old_result());
  EXPECT_EQ(test::schema_fault(schema, report), "");
  EXPECT_EQ(report["mode"], "saved");
  EXPECT_FALSE(report.contains("per_image"));
}

TEST(FirstDialect, AReportKeepsWhatItSays) {
  const test::ScratchFolder folder;
  const json old = {
      {"schema", "fercli-report/1"},
      {"version", "0.1.0"},
      {"revision", "abc"},
      {"mode", "quick"},
      {"seed", 0},
      {"dataset", {{"name", "d"}, {"split", "all"}, {"n", 4}, {"classes", {"Happy", "Sad"}}}},
      {"models", {{{"name", "net"}}}},
      {"environment", {{"threads", 2}}},
      {"warnings",
       {"net: careful", "net: loss-not-rising: it falls; too high",
        "net: pgd <= fgsm does not hold at Linf eps 4/255: 50.0 % against 25.0 % of the same 4 images",
        "of no network"}},
      {"invariants",
       {{{"name", "pgd <= fgsm"},
         {"model", "net"},
         {"norm", "Linf"},
         {"eps", "4/255"},
         {"n", 4},
         {"values", {0.5, 0.25}},
         {"holds", false},
         {"note", "no mistake"}}}},
      {"parts",
       {{"clean", {{"net", json::object()}}},
        {"sanity",
         {{"net",
           {{{"flag", "loss-not-rising"}, {"raised", true}, {"found", "it falls"}, {"meaning", "too high"}}}}}}}},
      {"outcomes", json::object()}};
  write_file(folder / "report.json", old.dump());
  const json report = read_report(folder / "report.json");
  EXPECT_EQ(report["schema"], Result::kSchema);
  EXPECT_EQ(report["n"], 4);
  EXPECT_EQ(report["options"], json::object()) << "which reports of results had not";
  EXPECT_EQ(report["environment"], json({{"threads", 2}, {"version", "0.1.0"}, {"revision", "abc"}}));
  for (const char* key : {"mode", "dataset", "models"}) EXPECT_EQ(report[key], old[key]) << key;
  const auto warning = [&](size_t i) { return Shape<Warning>::read(report["warnings"].at(i)); };
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(warning(i).line(), old["warnings"][i]);
  EXPECT_EQ(report["warnings"][0], json({{"text", "net: careful"}}));
  EXPECT_EQ(warning(1).message.key, kFlagRaised);
  EXPECT_EQ(warning(2).message.key, kInvariantViolated);
  EXPECT_EQ(warning(3).message.key, "");
  EXPECT_EQ(report["invariants"][0]["note"], json({{"text", "no mistake"}}));
  EXPECT_EQ(report["parts"]["clean"], old["parts"]["clean"]);
  EXPECT_EQ(report["parts"]["sanity"]["net"][0]["found"], json({{"text", "it falls"}}));
}

}  // namespace

}  // namespace fercli
