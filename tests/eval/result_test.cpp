#include "eval/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.hpp"
#include "core/files.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using testing::HasSubstr;

Result sample() {
  Result result;
  result.command = "eval";
  result.n = 2;
  result.metrics = {{"accuracy", {0.5, {0.1, 0.9}, 2}}};
  result.dataset = {{"name", "a \"quoted\" é name"}};
  result.add_model({{"model", "out/net/best.pt"}, {"arch", "small-cnn"}});
  result.threat_model = {{"norm", "Linf"}, {"eps", "8/255"}};
  result.options = {{"seed", {{"value", "7"}, {"source", "command line"}}}};
  result.seed = 7;
  result.warnings = {{"net", {"no-training-images", {}, "beware"}}, {"", {"", {}, "careful"}}};
  result.parts["clean"]["net"] = {{"confusion_matrix", {{1, 0}, {1, 0}}}};
  result.per_image.resize(2);
  result.per_image[0].id = "one";
  result.per_image[0].probabilities = {0.25, 0.75};
  result.timing = {{"seconds", 1.5}};
  return result;
}

std::string read_error(const std::string& content) {
  const test::ScratchFolder scratch;
  write_file(scratch / "result.json", content);
  try {
    read_result(scratch / "result.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Result, SurvivesTheRoundTripThroughAFile) {
  const test::ScratchFolder scratch;
  Result result = sample();
  result.environment = {{"version", "0.1.0"}};
  write_result(result, scratch / "result.json");
  const Result again = read_result(scratch / "result.json");
  EXPECT_EQ(to_json(again), to_json(result));
  EXPECT_EQ(format_result(again), read_file(scratch / "result.json"));
}

TEST(Result, CarriesSchemaEnvironmentAndNOnTheTopLevel) {
  const json document = to_json(sample());
  EXPECT_EQ(document["schema"], "fercli/2");
  EXPECT_EQ(document["models"][0]["name"], "net");
  EXPECT_EQ(document["n"], 2);
  EXPECT_TRUE(document["environment"].contains("revision"));
  EXPECT_EQ(document["metrics"]["accuracy"]["interval"], json({0.1, 0.9}));
}

TEST(Result, TextIsTheSameJsonWithOneLinePerImage) {
  const std::string text = format_result(sample());
  EXPECT_EQ(json::parse(text), to_json(sample()));
  EXPECT_THAT(text, HasSubstr("\n    {\"id\":\"one\",\"label\":\"\",\"probabilities\":[0.25,0.75]},\n"));
}

TEST(Result, ANameThatIsNotUtf8IsStillWritten) {
  Result result = sample();
  result.per_image[0].id = "Happy/caf\xe9.png";
  EXPECT_THAT(format_result(result), HasSubstr("{\"id\":\"Happy/caf\xef\xbf\xbd.png\""));
}

TEST(Result, PixelsTellImagesApartAndSayTheirShape) {
  auto images = torch::zeros({3, 1, 4, 6}, torch::kUInt8);
  images[1][0][3][5] = 1;
  const auto pixels = describe_pixels(images);
  EXPECT_EQ(pixels[0], pixels[2]);
  EXPECT_NE(pixels[0], pixels[1]);
  EXPECT_THAT(pixels[1], testing::StartsWith("4x6x1:"));
}

TEST(Result, LeavesOutAThreatModelThatIsNotThere) {
  Result result = sample();
  result.threat_model = nullptr;
  EXPECT_FALSE(to_json(result).contains("threat_model"));
}

TEST(Result, WritesInfinityAsNull) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const json document = to_json(Metric{kInfinity, {0.5, kInfinity}, 9});
  EXPECT_TRUE(document["value"].is_null());
  EXPECT_EQ(document["interval"], json({0.5, nullptr}));
  EXPECT_TRUE(std::isnan(metric_from_json(document).value));
}

TEST(Result, SaysWhatIsWrongWithAForeignFile) {
  EXPECT_THAT(read_error("{ broken"), HasSubstr("result.json: is not JSON"));
  EXPECT_THAT(read_error("[1, 2]"), HasSubstr("result.json: is not a result of fercli"));
  EXPECT_THAT(read_error(R"({"schema": {"name": "other", "version": 1}})"), HasSubstr("is not a result of fercli"));
  EXPECT_THAT(read_error(R"({"schema": "fercli/99"})"), HasSubstr("is of schema fercli/99, which this fercli (0.1.0)"));
  for (const char* schema : {R"({"name": "fercli-result", "version": 1})", R"("fercli-report/1")", R"("fercli/2")"}) {
    EXPECT_THAT(read_error(fmt::format("{{\"schema\": {}}}", schema)), HasSubstr("is not a complete result of fercli"));
  }
}

TEST(FormatProportion, GivesPercentImagesAndInterval) {
  EXPECT_EQ(format_proportion(proportion(8, 10)), "80.0 % (n = 10, 95 % CI 49.0–94.3 %)");
  EXPECT_EQ(format_proportion(proportion(0, 0)), "none (n = 0)");
}

}  // namespace

}  // namespace fercli
