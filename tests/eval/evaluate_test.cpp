#include "eval/evaluate.hpp"
#include "models/networks/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "tests/data/sample_data.hpp"

namespace fercli {

namespace {

using nlohmann::json;
using testing::HasSubstr;

Classifier tiny_classifier(uint64_t seed = 1) {
  const NetworkOptions options{1, 48, 7, {{"width", 8}, {"dropout", 0}}};
  return Classifier(make_network("small-cnn", options, seed), {"small-cnn", options, {}, LabelSet::fer2013()});
}

/// Probabilities that put 0.9 on `classes[i]` of K.
Predictions sure_of(const std::vector<int64_t>& classes, int64_t count) {
  const auto n = static_cast<int64_t>(classes.size());
  auto probabilities = torch::full({n, count}, 0.1 / static_cast<double>(count - 1), torch::kFloat64);
  for (int64_t i = 0; i < n; ++i) probabilities[i][classes[static_cast<size_t>(i)]] = 0.9;
  return {probabilities, 1.0};
}

TEST(Predict, GivesProbabilitiesThatSumToOne) {
  const auto predictions = predict(tiny_classifier(), test::sample_dataset(5), 2);
  EXPECT_EQ(predictions.probabilities.sizes(), (std::vector<int64_t>{5, 7}));
  EXPECT_TRUE(torch::allclose(predictions.probabilities.sum(1), torch::ones({5}, torch::kFloat64)));
}

TEST(Predict, DoesNotDependOnBatchSizeOrOrder) {
  const Classifier classifier = tiny_classifier();
  const Dataset data = test::sample_dataset(9);
  const auto whole = predict(classifier, data, 256).probabilities;
  for (const int64_t batch : {1, 2, 8}) {
    EXPECT_TRUE(torch::equal(predict(classifier, data, batch).probabilities, whole)) << "batch size " << batch;
  }
  const auto order = Rng(3).permutation(9);
  const auto shuffled = predict(classifier, data.select(order), 4).probabilities;
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_TRUE(torch::equal(shuffled[static_cast<int64_t>(i)], whole[order[i]])) << "image " << order[i];
  }
}

TEST(Predict, RejectsANetworkThatGivesNan) {
  const Classifier classifier = tiny_classifier();
  auto network = make_network("small-cnn", classifier.options(), 1);
  for (auto& parameter : network->parameters()) parameter.detach().fill_(NAN);
  const Classifier broken(network, classifier.spec());
  try {
    predict(broken, test::sample_dataset(2), 2);
    FAIL() << "no error";
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), HasSubstr("gives NaN or infinite values"));
  }
}

TEST(Summarise, CountsWhatWasRight) {
  const Dataset data = test::sample_dataset(7);  // labels 0 … 6
  const auto predictions = sure_of({0, 1, 2, 3, 4, 0, 0}, 7);
  const CleanFigures figures = clean_figures(predictions, data, 5);
  const Result result = summarise(figures, predictions, data, {{"model", "net"}});
  EXPECT_EQ(result.n, 7);
  EXPECT_DOUBLE_EQ(result.metrics.at("accuracy").value, 5.0 / 7);
  EXPECT_EQ(figures.confusion_matrix[5], (std::vector<int64_t>{1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(figures.per_class.at(0).at("precision").at("n"), 3);
  EXPECT_EQ(result.parts.at("clean").at("net").at("confusion_matrix").at(5).at(0), 1);
  EXPECT_EQ(result.outcomes.at("net").answers, (std::vector<int64_t>{0, 1, 2, 3, 4, 0, 0}));
  EXPECT_EQ(result.outcomes.at("net").labels, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(result.per_image.at(6).id, "image-6");
  EXPECT_EQ(result.per_image.at(6).label, "Neutral");
  EXPECT_EQ(result.per_image.at(6).predicted, "Angry");
  EXPECT_EQ(result.per_image.at(6).probabilities.at(0), 0.9);
  EXPECT_EQ(figures.reliability.size(), 15u);
}

TEST(Summarise, TakesProbabilitiesTooSmallForANormalNumber) {
  auto predictions = sure_of({1}, 7);
  predictions.probabilities[0][0] = 1e-310;
  const auto dataset = test::sample_dataset(1);
  const auto result = summarise(clean_figures(predictions, dataset, 0), predictions, dataset, {{"model", "net"}});
  EXPECT_NEAR(result.per_image.at(0).probabilities.at(0), 1e-310, 1e-315);
}

TEST(DeduplicatedAccuracy, LeavesOutImagesThatAreInTheTrainingSet) {
  const Dataset data = test::sample_dataset(4);
  const Metric metric = deduplicated_accuracy(sure_of({0, 1, 0, 0}, 7), data, data.select({0, 2}));
  EXPECT_EQ(metric.n, 2);  // images 1 (right) and 3 (wrong) stay
  EXPECT_DOUBLE_EQ(metric.value, 0.5);
}

TEST(LabelOrderHint, RecognisesAlphabeticalNumbersReadAsFer2013) {
  // The network means the alphabetical order (Neutral 4, Sad 5, Surprise 6), its file says FER2013's.
  auto confusion = torch::zeros({7, 7}, torch::kInt64);
  const int64_t meant[] = {0, 1, 2, 3, 5, 6, 4};  // of true class k of FER2013, its alphabetical number
  for (int64_t k = 0; k < 7; ++k) confusion[k][meant[k]] = 100;
  const auto hint = label_order_hint(confusion, LabelSet::fer2013());
  ASSERT_TRUE(hint.has_value());
  EXPECT_THAT(*hint, HasSubstr("accuracy would be 100.0 % (n = 700"));
  EXPECT_THAT(*hint, HasSubstr("alphabetical"));
}

TEST(LabelOrderHint, RecognisesAffectNetsNumbersReadAsFer2013) {
  auto confusion = torch::zeros({7, 7}, torch::kInt64);
  const int64_t true_class[] = {6, 3, 4, 5, 2, 1, 0};  // what AffectNet's number k means, in FER2013's order
  for (int64_t k = 0; k < 7; ++k) confusion[k][true_class[k]] = 100;
  const auto hint = label_order_hint(confusion, LabelSet::fer2013());
  ASSERT_TRUE(hint.has_value());
  EXPECT_THAT(*hint, HasSubstr("accuracy would be 100.0 % (n = 700"));
  EXPECT_THAT(*hint, HasSubstr("AffectNet's"));
  EXPECT_THAT(*hint, HasSubstr("--data-labels"));
}

TEST(LabelOrderHint, DoubtsAnyOrderWithWhichAccuracyIsBelowChance) {
  const auto turned = torch::roll(torch::eye(7, torch::kInt64) * 100, 3, 1);
  EXPECT_THAT(label_order_hint(turned, LabelSet::fer2013()).value_or(""), HasSubstr("in the wrong order?"));
  const auto swapped = torch::tensor({0, 90, 90, 0}).reshape({2, 2});
  EXPECT_THAT(label_order_hint(swapped, LabelSet({"Cat", "Dog"})).value_or(""), HasSubstr("is below chance (50.0 %)"));
}

TEST(LabelOrderHint, IsAmongTheCleanFigures) {
  std::vector<int64_t> turned;
  for (int64_t i = 0; i < 70; ++i) turned.push_back((i + 3) % 7);
  const auto figures = clean_figures(sure_of(turned, 7), test::sample_dataset(70), 0);
  EXPECT_THAT(figures.warnings, testing::Optional(testing::ElementsAre(HasSubstr("in the wrong order?"))));
}

TEST(LabelOrderHint, IsSilentForAGoodNetworkAndForFewImages) {
  EXPECT_FALSE(label_order_hint(torch::eye(7, torch::kInt64) * 100, LabelSet::fer2013()).has_value());
  auto few = torch::zeros({7, 7}, torch::kInt64);
  few[4][5] = 1;
  EXPECT_FALSE(label_order_hint(few, LabelSet::fer2013()).has_value());
}

TEST(LabelOrderHint, IsSilentForOtherClasses) {
  EXPECT_FALSE(label_order_hint(torch::zeros({2, 2}, torch::kInt64), LabelSet({"Happy", "Sad"})).has_value());
}

}  // namespace

}  // namespace fercli
