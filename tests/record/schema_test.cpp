// The JSON Schemas of the documents. Whatever the other tests make the program write is held against them in
// tests/cli/run_program.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.hpp"
#include "core/json_text.hpp"
#include "eval/result.hpp"
#include "record/document_kind.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

json schema(const std::string& name) {
  return schema_document(Registry<DocumentKind>::instance().get(name));
}

json small_result() {
  Result result;
  result.command = "eval";
  result.n = 1;
  result.metrics["accuracy"] = {1, {0.2, 1}, 1};
  result.dataset = {{"name", "faces"}};
  result.model = {{"model", "m"},          {"digest", ""},
                  {"arch", "a"},           {"settings", json::object()},
                  {"classes", {"A", "B"}}, {"preprocessing", json::object()}};
  result.options = json::object();
  return to_json(result);
}

TEST(Schemas, ThoseInResultsAreWhatTheProgramPrints) {
  const auto folder = std::filesystem::path(FERCLI_TEST_FOLDER) / ".." / "results" / "schema";
  std::vector<std::string> committed;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    committed.push_back(entry.path().stem().string());
  const auto names = Registry<DocumentKind>::instance().names();
  EXPECT_THAT(committed, testing::UnorderedElementsAreArray(names));
  for (const auto& name : names) {
    const auto printed = run_in_process({"schema", name});
    EXPECT_EQ(printed.exit_code, 0);
    EXPECT_EQ(printed.out, read_file(folder / (name + ".json"))) << name;
  }
}

TEST(Schemas, TheListNamesEveryDocument) {
  const auto result = run_in_process({"schema"});
  for (const auto& name : Registry<DocumentKind>::instance().names())
    EXPECT_THAT(result.out, testing::HasSubstr(name + " "));
}

TEST(Schemas, ADocumentThatDoesNotExistIsRefusedWithTheNearest) {
  const auto result = run_in_process({"schema", "results"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "unknown document 'results'; did you mean result? (known: comparison, report, result, shards)");
}

TEST(Schemas, AResultFits) {
  EXPECT_EQ(schema_fault(schema("result"), small_result()), "");
}

TEST(Schemas, ThePublishedReportsFit) {
  const auto folder = std::filesystem::path(FERCLI_TEST_FOLDER) / ".." / "results" / "reports";
  for (const std::string name : {"standard", "robust", "comparison"}) {
    const auto report = json::parse(read_file(folder / name / "report.json"));
    EXPECT_EQ(schema_fault(schema("report"), report), "") << name;
  }
}

TEST(Schemas, AResultThatLacksAMemberHasOneTooManyOrOneOfAnotherTypeDoesNotFit) {
  auto lacks = small_result(), more = small_result(), other = small_result();
  lacks.erase("n");
  more["m"] = 1;
  other["metrics"]["accuracy"]["interval"] = {0.1};
  EXPECT_EQ(schema_fault(schema("result"), lacks), ": lacks \"n\"");
  EXPECT_EQ(schema_fault(schema("result"), more), ": has m too");
  EXPECT_EQ(schema_fault(schema("result"), other), "/metrics/accuracy/interval: is too short");
}

TEST(Schemas, EveryMemberOfAResultIsRequiredForReadingToo) {
  const ScratchFolder folder;
  const auto required = schema("result").at("required").get<std::vector<std::string>>();
  for (const auto& name : required) {
    auto document = small_result();
    document.erase(name);
    write_file(folder / "result.json", compact_json(document));
    EXPECT_THROW(read_result(folder / "result.json"), UserError) << name;
  }
}

}  // namespace

}  // namespace fercli::test
