// The JSON Schemas of the documents, and those of results. Whatever the other tests make the program write is held
// against the schemas in tests/cli/run_program.cpp, and what it answers in tests/serve/serve_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "core/files.hpp"
#include "core/json_text.hpp"
#include "data/formats/reader.hpp"
#include "data/groups.hpp"
#include "eval/experiment_records.hpp"
#include "record/document_kind.hpp"
#include "report/training_log.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

const std::filesystem::path kResults = std::filesystem::path(FERCLI_TEST_FOLDER).parent_path() / "results";
const std::filesystem::path kSchemas = kResults / "schema";

/// The files of results with this ending, but for the schemas.
std::vector<std::filesystem::path> published(const std::string& ending) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kResults)) {
    if (entry.path().extension() == ending && entry.path().parent_path() != kSchemas) files.push_back(entry.path());
  }
  return files;
}

json schema(const std::string& name) {
  return schema_document(Registry<DocumentKind>::instance().get(name));
}

json small_result() {
  Result result;
  result.command = "eval";
  result.n = 1;
  result.metrics["accuracy"] = {1, {0.2, 1}, 1};
  result.dataset = {{"name", "faces"}};
  result.add_model({{"model", "m"},
                    {"digest", ""},
                    {"arch", "a"},
                    {"settings", json::object()},
                    {"classes", {"A", "B"}},
                    {"preprocessing", json::object()}});
  result.options = json::object();
  return to_json(result);
}

TEST(Schemas, ThoseInResultsAreWhatTheProgramPrints) {
  std::vector<std::string> committed;
  for (const auto& entry : std::filesystem::directory_iterator(kSchemas))
    committed.push_back(entry.path().stem().string());
  const auto names = Registry<DocumentKind>::instance().names();
  EXPECT_THAT(committed, testing::UnorderedElementsAreArray(names)) << "tests/renew.sh renews them";
  for (const auto& name : names) {
    const auto printed = run_in_process({"schema", name});
    EXPECT_EQ(printed.exit_code, 0);
    EXPECT_EQ(printed.out, read_file(kSchemas / (name + ".json"))) << name << ": tests/renew.sh renews it";
  }
}

TEST(Shapes, WholeNumbersThatTheTypeDoesNotHoldAreRefused) {
  EXPECT_EQ(Shape<int64_t>::read(5.0), 5);
  EXPECT_EQ(Shape<int64_t>::read(-3), -3);
  for (const double value : {1e30, -1e30, 0x1p63, 5.5}) {
    EXPECT_THROW(Shape<int64_t>::read(value), json::exception) << value;
  }
  EXPECT_EQ(Shape<std::vector<uint64_t>>::read(json::array({1, 0x1p63})),
            (std::vector<uint64_t>{1, uint64_t{1} << 63}));
  for (const double value : {-1.5, 0x1p64}) {
    EXPECT_THROW(Shape<std::vector<uint64_t>>::read(json::array({value})), json::exception) << value;
  }
}

TEST(Schemas, TheListNamesEveryDocument) {
  const auto result = run_in_process({"schema"});
  for (const auto& name : Registry<DocumentKind>::instance().names())
    EXPECT_THAT(result.out, testing::HasSubstr(name + " "));
}

TEST(Schemas, ADocumentThatDoesNotExistIsRefusedWithTheNearest) {
  const auto result = run_in_process({"schema", "data-stat"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "unknown document 'data-stat'; did you mean data-stats? (known: " +
                            join(Registry<DocumentKind>::instance().names(), ", ") + ")");
}

TEST(Schemas, AResultFits) {
  EXPECT_EQ(schema_fault(schema("result"), small_result()), "");
}

TEST(Schemas, ThePublishedDocumentsFit) {
  size_t documents = 0;
  for (const auto& file : published(".json")) {
    const auto document = json::parse(read_file(file));
    expect_document(kind_of(document), document, file.string());
    ++documents;
  }
  EXPECT_GE(documents, 20u);
}

template <class Record>
std::string written_again(const std::string& text) {
  Record record{};
  read_record(json::parse(text), record);
  return pretty_json(write_record(record)) + "\n";
}

TEST(Schemas, ThePublishedTablesOfExperimentsAreAsTheProgramsWriteThem) {
  for (const char* name : {"robustness.json", "robust-methods.json"}) {
    const auto text = read_file(kResults / name);
    EXPECT_TRUE(written_again<RobustnessTable>(text) == text) << name;
  }
  const auto text = read_file(kResults / "published-protocol.json");
  EXPECT_EQ(written_again<PublishedProtocol>(text), text);
}

TEST(Schemas, ThePublishedCsvFilesAreHistoriesAndGroups) {
  for (const auto& file : published(".csv")) {
    const std::string text = read_file(file);
    if (file.filename() == kGroupsFile) {
      const Dataset faces = read_dataset(file.parent_path().string());
      EXPECT_FALSE(faces.groups.empty());
      EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), faces.size() + 1);
      for (const auto& column : faces.groups)
        EXPECT_THAT(column.values, testing::Not(testing::Contains(""))) << column.name;
      continue;
    }
    const auto epochs = read_history(file);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), static_cast<int64_t>(epochs.size()) + 1) << file;
    for (size_t i = 0; i < epochs.size(); ++i) EXPECT_EQ(epochs[i].at("epoch"), i + 1) << file;
  }
}

TEST(Schemas, AFileOfNoKindFailsTheTestThatWroteIt) {
  const ScratchFolder folder;
  const std::vector<std::string> words{"summary", "--arch", "small-cnn", "--out", folder.path().string()};
  write_file(folder / "other.json", R"({"schema": "fercli-other/1"})");
  EXPECT_NONFATAL_FAILURE(run_in_process(words), "other.json: there is no schema of 'other.json'");
  write_file(folder / "other.json", R"({"schema": "fercli-leaderboard/1"})");
  EXPECT_NONFATAL_FAILURE(run_in_process(words), "lacks");
}

TEST(Schemas, AFormOfSeveralIsEnough) {
  const auto entries = json::parse(run_in_process({"attacks", "--json"}).out);
  EXPECT_EQ(schema_fault(schema("attacks"), entries), "");
  EXPECT_EQ(schema_fault(schema("attacks"), entries[0]), "");
  EXPECT_EQ(schema_fault(schema("attacks"), "pgd"), ": is not of type \"array\"; or : is not of type \"object\"");
}

TEST(Schemas, AShareOutsideItsRangeDoesNotFit) {
  const json box{{"x", 0}, {"y", 0}, {"w", 1}, {"h", 1}};
  json face{{"emotion", "Happy"}, {"confidence", 100}, {"box", box}, {"probabilities", {{"Happy", 1}}}};
  const json document = json::array({{{"file", "a.png"}, {"faces", json::array({face})}}});
  EXPECT_EQ(schema_fault(schema("predict"), document), "/0/faces/0/confidence: is over 1");
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
