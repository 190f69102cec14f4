// What every part of a study promises.
#include "eval/study/part.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/schema_fault.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

constexpr int64_t kSide = 16, kImages = 7;

Dataset blobs() {
  Dataset data;
  data.name = "blobs";
  data.images = test_images(kImages, kSide, 0, 255);
  const Classifier network = confident_cnn(kSide);
  data.labels = network.logits(to_float(data.images)).argmax(1);
  data.classes = network.classes();
  for (int64_t i = 0; i < kImages; ++i) {
    data.ids.push_back(fmt::format("blob-{}", i));
    data.splits.push_back(Split::None);
  }
  return data;
}

StudyModel study_model(const std::string& name) {
  const Classifier network = confident_cnn(kSide);
  const json description = {{"model", name},
                            {"arch", "small-cnn"},
                            {"settings", json::object()},
                            {"classes", network.classes().names()},
                            {"preprocessing", json::object()}};
  return {name, description, "digest of " + name, network, network, blobs(), blobs(), {}};
}

/// Without times, which no two runs share.
json timeless(json value) {
  if (value.is_object()) value.erase("seconds");
  if (value.is_structured()) {
    for (auto& entry : value) entry = timeless(entry);
  }
  return value;
}

class StudyPartContract : public testing::TestWithParam<std::string> {
 protected:
  StudyPartContract() {
    plan_.ladder = plan_.autoattack_ladder = parse_ladder("60/255", Norm::Linf);
    plan_.l2_ladder = parse_ladder("4", Norm::L2);
    plan_.at = {"30/255", 30 / 255.0};
    for (const auto& parameter : part_.parameters)
      plan_.given[part_.name][parameter.name] = parameter.name == "draws" ? "30" : "3";
    plan_.parts = {part_.name};
  }

  json measured(int64_t batch_size) const {
    const ScratchFolder folder;
    StudyPlan plan = plan_;
    plan.batch_size = batch_size;
    std::vector<StudyModel> models{study_model("net")};
    if (part_.joint) models.push_back(study_model("other"));
    return run_study(models, plan, folder.path());
  }

  /// Measured once for all tests of a part.
  const json& usual() const {
    static std::map<std::string, json> all;
    const auto known = all.find(part_.name);
    return known != all.end() ? known->second : all.emplace(part_.name, measured(64)).first->second;
  }

  /// Of the first model.
  json figures() const {
    const json& parts = usual().at("parts");
    const auto dot = part_.name.find('.');
    if (part_.joint) return parts.at(part_.name);
    const json& of_model = parts.at(part_.name.substr(0, dot)).at("net");
    return dot == std::string::npos ? of_model : of_model.at(part_.name.substr(dot + 1));
  }

  const StudyPart& part_ = Registry<StudyPart>::instance().get(GetParam());
  StudyPlan plan_ = StudyPlan::quick();
};

TEST_P(StudyPartContract, GivesTheSameFiguresWhateverTheBatchSize) {
  const auto report = timeless(usual()), again = timeless(measured(2));
  const std::string name = part_.name.substr(0, part_.name.find('.'));
  ASSERT_TRUE(report.at("parts").contains(name)) << report.dump(1);
  EXPECT_FALSE(report.at("parts").at(name).empty());
  EXPECT_EQ(report.at("parts").at(name), again.at("parts").at(name));
  EXPECT_EQ(report.at("outcomes"), again.at("outcomes"));
}

TEST_P(StudyPartContract, MakesAReportThatFitsItsSchema) {
  json report = usual();
  report.update({{"dataset", {{"name", "drawn"}}}, {"options", json::object()}});  // as `fercli report` adds
  expect_document("result", report, part_.name);
  EXPECT_EQ(schema_fault(part_.work.schema(), figures()), "");
}

TEST_P(StudyPartContract, DescribesEachOfItsFigures) {
  const json schema = part_.work.schema(), found = figures();
  const json& described = found.is_array() ? schema.at("items").at("properties") : schema.at("properties");
  for (const auto& [name, value] : (found.is_array() ? found.at(0) : found).items())
    EXPECT_TRUE(described.contains(name)) << name;
}

TEST_P(StudyPartContract, MeasuresOnImagesOfTheModel) {
  const auto model = study_model("net");
  std::set<std::string> known(model.images.ids.begin(), model.images.ids.end());
  known.insert(model.faces.ids.begin(), model.faces.ids.end());
  for (const auto& id : part_.images(plan_, model).ids) EXPECT_EQ(known.count(id), 1u) << id;
}

TEST_P(StudyPartContract, EveryParameterChangesWhatTheCacheKnowsItBy) {
  const auto identity = [&](const StudyPlan& plan) {
    return json{part_.work.options(plan), part_.images(plan, study_model("net")).ids};
  };
  for (const auto& parameter : part_.parameters) {
    auto changed = plan_;
    changed.given[part_.name][parameter.name] = parameter.name == "draws" ? "40" : "2";
    EXPECT_NE(identity(changed), identity(plan_)) << parameter.name;
    EXPECT_FALSE(parameter.help.empty()) << parameter.name;
  }
}

TEST_P(StudyPartContract, ExpectsNoLessWorkOfMoreImages) {
  const Pilot pilot{1e-3, 0.9, {1 / 255.0, 8 / 255.0}, {0.8, 0.2}, kSide * kSide, 7};
  const double few = part_.work.passes(plan_, 3, pilot), many = part_.work.passes(plan_, 300, pilot);
  EXPECT_GE(few, 0);
  EXPECT_GE(many, few);
  EXPECT_TRUE(std::isfinite(many));
}

INSTANTIATE_TEST_SUITE_P(Every, StudyPartContract, testing::ValuesIn(Registry<StudyPart>::instance().names()),
                         [](const auto& part) {
                           std::string name = part.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace

}  // namespace fercli::test
