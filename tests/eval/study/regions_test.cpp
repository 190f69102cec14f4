// The part of the report that attacks one part of the face at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attacks/threat/masks.hpp"
#include "eval/study/study.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/cli/run_program.hpp"

namespace fercli::test {

namespace {

using nlohmann::json;

constexpr int64_t kFaceSide = 24, kFaces = 20;

/// Two classes that the pixels of the mouth alone decide.
Classifier mouth_reader() {
  const auto v = face_region("mouth", kFaceSide, kFaceSide).flatten();
  return linear_classifier(torch::stack({v, -v}), torch::tensor({0.0f, 2 * 0.5f * v.sum().item<float>()}), kFaceSide);
}

/// Noise around mid-grey, labelled by the network.
StudyModel reader_of_mouths() {
  const Classifier network = mouth_reader();
  Dataset images;
  images.images = test_images(kFaces, kFaceSide, 118, 138);
  images.labels = network.logits(to_float(images.images)).argmax(1);
  images.classes = network.classes();
  images.splits.resize(kFaces);
  for (int64_t i = 0; i < kFaces; ++i) images.ids.push_back(fmt::format("image-{}", i));
  return {"reader", json::object(), "digest", network, network, images, images, {}};
}

torch::Tensor area_of(const std::string& region) {
  return region == "image" ? torch::ones({kFaceSide, kFaceSide}) : face_region(region, kFaceSide, kFaceSide);
}

/// How many images of this class turn when each pixel that the region shares with the mouth moves by eps.
int64_t within_reach(const StudyModel& model, int64_t label, double eps, const std::string& region) {
  const auto logits = model.judge.logits(to_float(model.images.images));
  const auto margin = (logits.select(1, 0) - logits.select(1, 1)).abs();
  const double reach = 2 * eps * (area_of("mouth") * area_of(region)).sum().item<double>();
  return margin.lt(reach).logical_and(model.images.labels.eq(label)).sum().item<int64_t>();
}

TEST(RegionsStudyPart, ARegionBreaksWhatItsPixelsCanTurn) {
  const ScratchFolder cache;
  const StudyModel model = reader_of_mouths();
  StudyPlan plan = StudyPlan::quick();
  plan.parts = {"regions"};
  plan.given["regions"] = {{"per-class", "0"}};
  plan.at = {"2/255", 2 / 255.0};
  const json study = run_study({model}, plan, cache.path());
  const json part = study.at("parts").at("regions").at("reader");
  const auto& regions = part.at("regions");
  ASSERT_EQ(regions.size(), 8u);
  std::map<std::string, int64_t> broken;
  for (size_t row = 0; row < regions.size(); ++row) {
    for (const int64_t label : {0, 1}) {
      const json& success = part.at("success").at(row).at(static_cast<size_t>(label));
      const double count = success.at("value").get<double>() * success.at("n").get<double>();
      ASSERT_GT(success.at("n").get<int64_t>(), 2);
      EXPECT_NEAR(count, static_cast<double>(within_reach(model, label, plan.at.eps, regions[row])), 1e-9)
          << regions[row] << " " << label;
      broken[regions[row]] += std::llround(count);
    }
    EXPECT_NEAR(part.at("area").at(row).get<double>(), area_of(regions[row]).mean().item<double>(), 1e-6);
  }
  EXPECT_EQ(broken["eyes"], 0);
  EXPECT_LT(broken["nose"], broken["mouth"]);
  EXPECT_EQ(broken["mouth"], broken["image"]);
}

TEST(RegionsStudyPart, ANetworkThatIsRightNowhereHasNoImagesToAttack) {
  const ScratchFolder cache;
  StudyModel model = reader_of_mouths();
  model.images.labels = 1 - model.images.labels;
  StudyPlan plan = StudyPlan::quick();
  plan.parts = {"regions"};
  const json study = run_study({model}, plan, cache.path());
  const json part = study.at("parts").at("regions").at("reader");
  EXPECT_EQ(part.at("n_per_class"), json::array({0, 0}));
  EXPECT_EQ(part.at("success").size(), 8u);
}

}  // namespace

}  // namespace fercli::test
