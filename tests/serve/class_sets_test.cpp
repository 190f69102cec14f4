// Networks of two, five and eight classes, served and live: their own classes everywhere, and an attack to each.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/files.hpp"
#include "core/text.hpp"
#include "data/formats/reader.hpp"
#include "data/image.hpp"
#include "serve/api.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/cli/tiny_network.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

/// Untrained networks of 48x48 grey faces.
class ClassSets : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  ClassSets() {
    Checkpoint checkpoint;
    checkpoint.arch = "small-cnn";
    checkpoint.options = {1, 48, static_cast<int64_t>(classes().size()),
                          complete_settings("small-cnn", {{"width", 4}})};
    checkpoint.classes = LabelSet(classes());
    checkpoint.network = make_network("small-cnn", checkpoint.options, 3);
    checkpoint.training = json::object();
    save_checkpoint(checkpoint, network());
  }

  static const std::vector<std::string>& classes() { return GetParam(); }
  static bool all_have_values() { return classes().front() == "Angry"; }
  std::string network() const { return (scratch_ / "net.pt").string(); }

  ScratchFolder scratch_;
};

json answer_of(Api& api, ApiRequest request, const std::string& kind) {
  const ApiAnswer answer = api.answer(std::move(request));
  EXPECT_EQ(answer.status, 200) << answer.body;
  json document = json::parse(answer.body);
  expect_document(kind, document, kind);
  return document;
}

TEST_P(ClassSets, AreServed) {
  ApiSettings settings;
  settings.model = network();
  settings.runtime.threads = 1;
  settings.runtime.precision = "fp32";
  Api api(load_checkpoint(network()), settings);
  std::vector<std::string> offered;
  const json labels = answer_of(api, {"GET", "/labels", "", "", {}, {}}, "serve-labels").at("labels");
  for (const auto& label : labels) offered.push_back(label.at("name"));
  EXPECT_THAT(offered, ElementsAreArray(classes()));
  const json samples = answer_of(api, {"GET", "/samples", "", "", {}, {}}, "serve-samples").at("samples");
  for (const auto& sample : samples) EXPECT_TRUE(LabelSet(classes()).find(sample.at("label").get<std::string>()));

  const std::string face = encode_png(read_dataset("synthetic:n=1,seed=5,classes=happy").images[0]);
  const json seen =
      answer_of(api, {"POST", "/predict", "image/png", face, {}, {}}, "serve-predict").at("predictions").at(0);
  EXPECT_EQ(seen.at("probabilities").size(), classes().size());
  int reached = 0;  // an untrained network has classes that nothing near leads to
  for (const auto& target : classes()) {
    const std::map<std::string, std::string> fields{{"goal", "any-to-" + target}, {"eps", "64/255"}, {"steps", "20"}};
    const json attacked = answer_of(api, {"POST", "/attack", "image/png", face, fields, {}}, "serve-attack");
    EXPECT_EQ(attacked.at("goal"), "any-to-" + to_lower(target));
    const bool there_already = seen.at("label") == target;
    EXPECT_EQ(attacked.at("attacked"), !there_already) << target;
    if (there_already) continue;
    EXPECT_EQ(attacked.at("success"), attacked.at("adversarial").at("label") == target) << target;
    reached += attacked.at("success").get<bool>() ? 1 : 0;
  }
  EXPECT_GT(reached, 0);
}

TEST_P(ClassSets, AreLive) {
  const auto live = run_in_process({"live", "--no-window", "--model", network(), "--source",
                                    "synthetic:faces=1,fps=10,seconds=1,size=320x240", "--attack",
                                    "any-to-" + classes().back(), "--csv", (scratch_ / "live.csv").string(), "--jsonl",
                                    (scratch_ / "live.jsonl").string(), "--threads", "1"});
  ASSERT_EQ(live.exit_code, 0) << live.err;
  const auto rows = split(read_file(scratch_ / "live.csv"), '\n');
  std::string columns;
  for (const auto& name : classes()) columns += ",p_" + name;
  EXPECT_THAT(rows.front(), HasSubstr(",confidence" + columns + ",smoothed,"));
  const std::string last = rows.at(rows.size() - 2);
  EXPECT_EQ(std::count(last.begin(), last.end(), ','), std::count(rows[0].begin(), rows[0].end(), ','));
  const bool has_derived = last.compare(last.size() - 2, 2, ",,") != 0;
  EXPECT_EQ(has_derived, all_have_values()) << last;

  const auto lines = split(read_file(scratch_ / "live.jsonl"), '\n');
  const json frame = json::parse(lines.at(lines.size() - 2));
  expect_document("session-line", frame, "live.jsonl");
  const json seen = frame.at("faces").at(0);
  EXPECT_EQ(seen.at("probabilities").size(), classes().size());
  EXPECT_EQ(seen.contains("derived"), all_have_values());
  EXPECT_TRUE(seen.contains("attack"));
}

INSTANTIATE_TEST_SUITE_P(OfTwoFiveAndEight, ClassSets,
                         testing::Values(std::vector<std::string>{"not happy", "Happy"},
                                         std::vector<std::string>{"pain", "nopain"},
                                         std::vector<std::string>{"Angry", "Happy", "Sad", "Surprise", "Neutral"},
                                         std::vector<std::string>{"Angry", "Disgust", "Fear", "Happy", "Sad",
                                                                  "Surprise", "Neutral", "Contempt"}),
                         [](const auto& info) { return "Set" + std::to_string(info.index); });

}  // namespace

}  // namespace fercli::test
