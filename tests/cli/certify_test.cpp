// fercli certify and export --format vnnlib: what they print, write and refuse.
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/files.hpp"
#include "core/random.hpp"
#include "core/text.hpp"
#include "models/formats/export.hpp"
#include "models/graph/graph.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/models/formats/onnx/onnx_exports.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using test::run_in_process;
using test::ScratchFolder;
using testing::HasSubstr;

constexpr const char* kFaces = "synthetic:n=14,seed=3";

class Certify : public testing::Test {
 protected:
  Certify() { test::save_tiny_network(model(), 1, 20); }

  std::string model() const { return (folder_ / "tiny.pt").string(); }

  test::ProgramResult run(const std::string& command, std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {command, "--model", model(), "--data", kFaces, "--split", "all"});
    return run_in_process(arguments);
  }

  json certified(std::vector<std::string> arguments) const {
    arguments.push_back("--json");
    const auto made = run("certify", std::move(arguments));
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return json::parse(made.out);
  }

  ScratchFolder folder_;
};

TEST_F(Certify, CertifiesAllRightAnswersInATinyBallAndFewerInALargerOne) {
  const auto tiny = certified({"--eps", "0.0001/255"}), large = certified({"--eps", "64/255"});
  EXPECT_EQ(tiny["certified_accuracy"]["value"], tiny["accuracy"]["value"]);
  EXPECT_EQ(large["certified_accuracy"]["value"], 0.0);
  EXPECT_EQ(tiny["per_image"].size(), 14u);
  for (const auto& image : tiny["per_image"]) EXPECT_EQ(image["certified"], image["answer"] == image["label"]);
}

TEST_F(Certify, PrintsATableThatFollowsTheJson) {
  const auto text = run("certify", {"--eps", "1/255"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("certified, Linf eps 1/255"));
  EXPECT_THAT(text.out, HasSubstr("n = 14"));
  const auto noise = certified({"--norm", "l2", "--draws", "50", "--sigma", "0.1"});
  EXPECT_EQ(noise["settings"]["sigma"], 0.1);
  EXPECT_EQ(noise["eps"], 0.25);
}

TEST_F(Certify, OfPatchesCountsBands) {
  const auto narrow = certified({"--patch", "1", "--band", "8"}), wide = certified({"--patch", "24", "--band", "8"});
  EXPECT_EQ(wide["certified_accuracy"]["value"], 0.0) << "31 of 48 bands may change";
  EXPECT_GE(narrow["certified_accuracy"]["value"], wide["certified_accuracy"]["value"]);
  EXPECT_EQ(narrow["settings"]["band"], 8);
}

TEST_F(Certify, RefusesWhatDoesNotGoTogether) {
  for (const auto& [arguments, reason] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--sigma", "0.1"}, "is for --norm l2"},
           {{"--band", "4"}, "is for --patch"},
           {{"--patch", "4", "--eps", "1/255"}, "does not go with --patch"},
           {{"--patch", "60"}, "at most the side"},
           {{"--precision", "bf16"}, "fp32"},
           {{"--eps", "0"}, "must be"}}) {
    const auto refused = run("certify", arguments);
    EXPECT_EQ(refused.exit_code, 2) << arguments[0];
    EXPECT_THAT(refused.err, HasSubstr(reason));
  }
}

TEST_F(Certify, NamesTheLayersOfAnImportedNetworkThatCannotBeBounded) {
  Graph graph;
  graph.input = "x";
  const auto flat = graph.add("Flatten", "flat", {"x"});
  const auto weight = graph.constant("w", normal_rows(Rng(1), {0}, {7, 48 * 48})[0]);
  const auto dense = graph.add("Gemm", "dense", {flat, weight}, {{"transB", 1}});
  graph.output = graph.add("Mul", "square", {dense, dense});
  write_onnx(graph, {1, 48, 48}, 7, folder_ / "square.onnx");
  const auto refused = run_in_process({"certify", "--model", (folder_ / "square.onnx").string(), "--labels", "fer2013",
                                       "--data", kFaces, "--split", "all"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("(Mul)"));
}

/// A file of assertions as nested lists of words.
struct Expression {
  std::string word;
  std::vector<Expression> parts;
};

Expression parsed(std::istringstream& text) {
  Expression expression;
  text >> std::ws;
  if (text.peek() == '(') {
    text.get();
    while (text >> std::ws && text.peek() != ')' && text.good()) expression.parts.push_back(parsed(text));
    EXPECT_EQ(text.get(), ')');
    return expression;
  }
  while (text.good() && !std::isspace(text.peek()) && text.peek() != '(' && text.peek() != ')' && text.peek() != EOF) {
    expression.word += static_cast<char>(text.get());
  }
  return expression;
}

/// The file as a box of inputs and the pairs (other, label) of which one must reach the other.
struct Specification {
  std::map<std::string, double> lower, upper;
  std::set<std::string> declared;
  std::vector<std::pair<std::string, std::string>> reaches;
};

Specification read_specification(const std::filesystem::path& path) {
  std::string text;
  for (const auto& line : split(read_file(path), '\n')) {
    if (!line.empty() && line[0] != ';') text += line + "\n";
  }
  std::istringstream stream(text);
  Specification found;
  while (stream >> std::ws && stream.peek() == '(') {
    const Expression expression = parsed(stream);
    if (expression.parts.at(0).word == "declare-const") {
      EXPECT_EQ(expression.parts.at(2).word, "Real");
      found.declared.insert(expression.parts.at(1).word);
      continue;
    }
    EXPECT_EQ(expression.parts.at(0).word, "assert");
    const Expression& claim = expression.parts.at(1);
    const std::string& kind = claim.parts.at(0).word;
    if (kind == "or") {
      for (size_t i = 1; i < claim.parts.size(); ++i) {
        const Expression& pair = claim.parts[i].parts.at(1);
        EXPECT_EQ(pair.parts.at(0).word, ">=");
        found.reaches.emplace_back(pair.parts.at(1).word, pair.parts.at(2).word);
      }
    } else {
      (kind == ">=" ? found.lower : found.upper)[claim.parts.at(1).word] = std::stod(claim.parts.at(2).word);
    }
  }
  EXPECT_TRUE(stream.eof());
  return found;
}

TEST_F(Certify, VnnlibFilesSayTheBallAndTheOtherClasses) {
  const auto out = folder_ / "questions";
  const auto made = run("export", {"--format", "vnnlib", "--eps", "2/255", "--out", out.string()});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto lines = split(read_file(out / "instances.csv"), '\n');
  EXPECT_EQ(lines.size(), 15u);  // the last is empty
  const auto faces = json::parse(run("certify", {"--eps", "0.01/255", "--json"}).out)["per_image"];
  for (size_t i = 0; i < 14; ++i) {
    EXPECT_EQ(lines[i], fmt::format("network.onnx,image_{}.vnnlib,300", i));
    const auto found = read_specification(out / fmt::format("image_{}.vnnlib", i));
    EXPECT_EQ(found.declared.size(), 48u * 48 + 7);
    EXPECT_EQ(found.lower.size(), 48u * 48);
    for (const auto& [name, lower] : found.lower) {
      const double upper = found.upper.at(name);
      EXPECT_GE(lower, 0);
      EXPECT_LE(upper, 1);
      if (lower > 0 && upper < 1) {
        EXPECT_NEAR(upper - lower, 4 / 255.0, 1e-11);
      }
    }
    ASSERT_EQ(found.reaches.size(), 6u);
    const auto label = LabelSet::fer2013().index(faces[i]["label"].get<std::string>());
    for (const auto& [other, own] : found.reaches) {
      EXPECT_EQ(own, fmt::format("Y_{}", label));
      EXPECT_NE(other, own);
      EXPECT_EQ(found.declared.count(other), 1u);
    }
  }
  EXPECT_EQ(onnx_fault(read_file(out / "network.onnx"), /*types=*/true), "");
  EXPECT_EQ(run("export", {"--format", "vnnlib", "--out", out.string()}).exit_code, 2) << "it is there already";
  EXPECT_THAT(run_in_process({"export", "--model", model(), "--eps", "1/255", "--out", "x.onnx"}).err,
              HasSubstr("is for --format vnnlib"));
}

TEST_F(Certify, SpecificationsOfAnEarlierExportMakeRoomAndOtherFilesStay) {
  const auto out = folder_ / "questions";
  const std::vector<std::string> words{"--format", "vnnlib", "--out", out.string()};
  ASSERT_EQ(run("export", words).exit_code, 0);
  write_file(out / "notes.txt", "mine");
  auto fewer = words;
  fewer.insert(fewer.end(), {"--limit", "3", "--force"});
  const auto made = run("export", fewer);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(out)) names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{".fercli.json", "image_0.vnnlib", "image_1.vnnlib", "image_2.vnnlib",
                                          "instances.csv", "network.onnx", "notes.txt"}));
}

}  // namespace

}  // namespace fercli
