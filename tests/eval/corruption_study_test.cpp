#include "eval/corruption_study.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "eval/evaluate.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

Dataset small_set() {
  Dataset dataset;
  dataset.images = test::test_images(12, 16, 0, 255);
  dataset.labels = test::confident_cnn(16).logits(to_float(dataset.images)).argmax(1);
  dataset.labels[3] = (dataset.labels[3] + 1).remainder(7);
  dataset.classes = LabelSet::fer2013();
  dataset.splits.resize(static_cast<size_t>(dataset.labels.size(0)));
  for (int64_t i = 0; i < 12; ++i) dataset.ids.push_back(fmt::format("image-{}", i));
  return dataset;
}

CorruptionOptions two_kinds(int64_t batch_size) {
  CorruptionOptions options;
  options.kinds = {"gaussian_noise", "contrast"};
  options.batch_size = batch_size;
  return options;
}

nlohmann::json study_json(const Dataset& dataset, int64_t batch_size) {
  return Shape<CorruptionStudy>::write(study_corruptions(test::confident_cnn(16), dataset, two_kinds(batch_size)));
}

TEST(CorruptionStudy, HasAccuracyForEachKindAndSeverity) {
  const auto found = study_corruptions(test::confident_cnn(16), small_set(), two_kinds(64));
  const auto study = Shape<CorruptionStudy>::write(found);
  ASSERT_EQ(study.at("kinds").size(), 2);
  EXPECT_EQ(study["kinds"][1]["name"], "contrast");
  EXPECT_EQ(study["kinds"][1]["family"], "digital");
  EXPECT_EQ(study["kinds"][0]["accuracy"].size(), 5);
  EXPECT_EQ(study["clean"]["value"], 11.0 / 12);
  EXPECT_EQ(found.cost.forward, 12 * 11);
}

TEST(CorruptionStudy, MeansAreThoseOfItsAccuracies) {
  const auto study = study_json(small_set(), 64);
  double all = 0, first = 0;
  for (const auto& kind : study["kinds"]) {
    double sum = 0;
    for (const auto& accuracy : kind["accuracy"]) sum += accuracy["value"].get<double>();
    EXPECT_NEAR(kind["mean"]["value"].get<double>(), sum / 5, 1e-12);
    EXPECT_EQ(kind["mean"]["n"], 12);
    all += sum / 10;
    first += kind["accuracy"][0]["value"].get<double>() / 2;
  }
  EXPECT_NEAR(study["mean"]["value"].get<double>(), all, 1e-12);
  EXPECT_NEAR(study["severity_mean"][0].get<double>(), first, 1e-12);
  EXPECT_NEAR(study["relative_mean_corruption_accuracy"].get<double>(), all / (11.0 / 12), 1e-12);
}

TEST(CorruptionStudy, DoesNotDependOnTheBatchSizeOrTheOrder) {
  const auto dataset = small_set();
  const auto study = study_json(dataset, 64);
  EXPECT_EQ(study, study_json(dataset, 5));
  const auto reversed = dataset.select({11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0});
  EXPECT_EQ(study, study_json(reversed, 64));
}

TEST(CorruptionStudy, NamesAnUnknownKind) {
  CorruptionOptions options;
  options.kinds = {"fogg"};
  EXPECT_NE(test::message_of([&] {
              study_corruptions(test::confident_cnn(16), small_set(), options);
            }).find("unknown corruption 'fogg'; did you mean fog?"),
            std::string::npos);
}

}  // namespace

}  // namespace fercli
