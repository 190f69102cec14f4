#include "eval/measures/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>
#include <numeric>

namespace fercli {

namespace {

torch::Tensor matrix(const std::vector<std::vector<int64_t>>& rows) {
  auto tensor = torch::empty({static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())}, torch::kInt64);
  int64_t* cell = tensor.data_ptr<int64_t>();
  for (const auto& row : rows) cell = std::copy(row.begin(), row.end(), cell);
  return tensor;
}

/// Two classes; row i gives class 0 the probability `first[i]`.
Outcomes two_classes(const std::vector<double>& first, const std::vector<int64_t>& labels) {
  const auto n = static_cast<int64_t>(first.size());
  Outcomes outcomes{torch::empty({n, 2}, torch::kFloat64), torch::empty({n}, torch::kInt64)};
  for (int64_t i = 0; i < n; ++i) {
    outcomes.probabilities.data_ptr<double>()[2 * i] = first[i];
    outcomes.probabilities.data_ptr<double>()[2 * i + 1] = 1 - first[i];
    outcomes.labels.data_ptr<int64_t>()[i] = labels[i];
  }
  return outcomes;
}

/// 60 random outcomes over 3 classes, and the same in another order.
std::pair<Outcomes, Outcomes> shuffled_pair() {
  Rng rng(5);
  auto logits = torch::empty({60, 3}, torch::kFloat64);
  for (int64_t i = 0; i < logits.numel(); ++i) logits.data_ptr<double>()[i] = 2 * rng.normal();
  auto labels = torch::empty({60}, torch::kInt64);
  for (int64_t i = 0; i < 60; ++i) labels.data_ptr<int64_t>()[i] = rng.below(3);
  auto order = torch::empty({60}, torch::kInt64);
  const auto permutation = rng.permutation(60);
  std::copy(permutation.begin(), permutation.end(), order.data_ptr<int64_t>());
  const auto probabilities = torch::softmax(logits, 1);
  return {{probabilities, labels}, {probabilities.index_select(0, order), labels.index_select(0, order)}};
}

void expect_same_bits(const Metric& a, const Metric& b) {
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.interval.low, b.interval.low);
  EXPECT_EQ(a.interval.high, b.interval.high);
  EXPECT_EQ(a.n, b.n);
}

TEST(WilsonInterval, IsTheTextbookOneForEightOfTen) {
  const Interval interval = wilson_interval(8, 10);
  EXPECT_NEAR(interval.low, 0.4902, 5e-5);
  EXPECT_NEAR(interval.high, 0.9433, 5e-5);
}

TEST(WilsonInterval, TouchesTheEndsExactly) {
  EXPECT_EQ(wilson_interval(0, 10).low, 0.0);
  EXPECT_NEAR(wilson_interval(0, 10).high, 0.2775, 5e-5);
  EXPECT_EQ(wilson_interval(10, 10).high, 1.0);
}

TEST(WilsonInterval, SaysNothingAboutNoImages) {
  EXPECT_EQ(wilson_interval(0, 0).low, 0.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
}

TEST(WilsonInterval, RejectsMoreSuccessesThanImages) {
  EXPECT_THROW(wilson_interval(3, 2), std::invalid_argument);
  EXPECT_THROW(wilson_interval(-1, 2), std::invalid_argument);
}

TEST(Median, TakesTheMiddleOrTheMeanOfTheTwoMiddleOnes) {
  EXPECT_EQ(median({3, 1, 2}).value, 2);
  EXPECT_EQ(median({4, 1, 3, 2}).value, 2.5);
}

TEST(Median, IntervalOfElevenValuesIsFromTheSecondToTheTenth) {
  std::vector<double> values(11);
  std::iota(values.begin(), values.end(), 1.0);
  EXPECT_EQ(median(values).interval.low, 2);  // P(B <= 1) = 12/2048 = 0.6 %, P(B <= 2) = 67/2048 = 3.3 %
  EXPECT_EQ(median(values).interval.high, 10);
}

TEST(Median, IntervalOfFewerThanSixValuesExcludesNoDistance) {
  EXPECT_EQ(median({5, 1, 3}).interval.low, 0);
  EXPECT_EQ(median({5, 1, 3, 4, 2}).interval.high, std::numeric_limits<double>::infinity());
  EXPECT_EQ(median({5, 1, 3, 4, 2, 6}).interval.low, 1);
  EXPECT_EQ(median({5, 1, 3, 4, 2, 6}).interval.high, 6);
}

TEST(Median, TakesInfinityAsLargerThanEverything) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(median({1, kInfinity, 2}).value, 2);
  EXPECT_EQ(median({1, kInfinity, kInfinity}).value, kInfinity);
}

TEST(BoundedMean, OfZerosAndOnesIsNearTheWilsonIntervalOfTheirShare) {
  std::vector<double> values(400, 0.0);
  std::fill(values.begin(), values.begin() + 100, 1.0);
  const Metric metric = bounded_mean(values, 1);
  const Interval wilson = wilson_interval(100, 400);
  EXPECT_NEAR(metric.value, 0.25, 1e-15);
  EXPECT_NEAR(metric.interval.low, wilson.low, 1e-3);
  EXPECT_NEAR(metric.interval.high, wilson.high, 1e-3);
}

TEST(PositiveMean, IsTheDeltaMethodOnTheLogarithm) {
  const Metric metric = positive_mean({1, 2, 3, 4});
  EXPECT_EQ(metric.value, 2.5);  // squares 5, one observation more 6.25: variance 11.25 / 4
  EXPECT_NEAR(metric.interval.high, 2.5 * std::exp(1.959964 * std::sqrt(11.25 / 4 / 4) / 2.5), 1e-4);
  EXPECT_NEAR(metric.interval.low * metric.interval.high, 2.5 * 2.5, 1e-9);
}

TEST(PredictedClasses, GiveATieToTheLowerClass) {
  EXPECT_EQ(predicted_classes(two_classes({0.5}, {0}).probabilities)[0].item<int64_t>(), 0);
}

TEST(ConfusionMatrix, HasTrueClassesInRows) {
  const auto labels = torch::tensor({0, 0, 1, 2}, torch::kInt64),
             predicted = torch::tensor({0, 1, 1, 0}, torch::kInt64);
  EXPECT_TRUE(torch::equal(confusion_matrix(labels, predicted, 3), matrix({{1, 1, 0}, {0, 1, 0}, {1, 0, 0}})));
}

TEST(ConfusionMatrix, RejectsUnlabelledImages) {
  const auto labels = torch::tensor({0, -1}, torch::kInt64);
  EXPECT_THROW(confusion_matrix(labels, labels, 2), std::invalid_argument);
}

TEST(Accuracy, IsTheShareOnTheDiagonal) {
  const Metric metric = accuracy(matrix({{3, 1}, {1, 5}}));
  EXPECT_EQ(metric.value, 0.8);
  EXPECT_EQ(metric.n, 10);
  EXPECT_EQ(metric.interval.low, wilson_interval(8, 10).low);
}

TEST(BalancedAccuracy, IsTheMeanRecallOfTheClassesWithImages) {
  EXPECT_DOUBLE_EQ(balanced_accuracy(matrix({{3, 1, 0}, {5, 5, 0}, {0, 0, 0}})).value, (0.75 + 0.5) / 2);
}

TEST(BalancedAccuracy, HasTheMidPIntervalOfTheClassWhenThereIsOne) {
  const Metric metric = balanced_accuracy(matrix({{8, 2}, {0, 0}}));
  EXPECT_NEAR(metric.interval.low, 0.48049, 5e-6);  // eight of ten, from sums of binomial probabilities
  EXPECT_NEAR(metric.interval.high, 0.96500, 5e-6);
}

TEST(ClassScores, AreThoseOfTheDefinitions) {
  const auto scores = class_scores(matrix({{6, 2}, {3, 9}}));
  EXPECT_DOUBLE_EQ(scores[0].precision.value, 6.0 / 9);
  EXPECT_DOUBLE_EQ(scores[0].recall.value, 6.0 / 8);
  EXPECT_DOUBLE_EQ(scores[0].f1.value, 2.0 * 6 / (9 + 8));
  EXPECT_EQ(scores[0].support, 8);
  EXPECT_LT(scores[0].f1.interval.low, scores[0].f1.value);
  EXPECT_GT(scores[0].f1.interval.high, scores[0].f1.value);
}

TEST(ClassScores, HaveNoPrecisionWithoutPredictions) {
  const auto scores = class_scores(matrix({{4, 0}, {2, 0}}));
  EXPECT_TRUE(std::isnan(scores[1].precision.value));
  EXPECT_EQ(scores[1].recall.value, 0);
}

TEST(MacroF1, IsTheMeanOverClassesThatOccur) {
  const Metric metric = macro_f1(matrix({{6, 2, 0}, {3, 9, 0}, {0, 0, 0}}));
  EXPECT_NEAR(metric.value, (12.0 / 17 + 18.0 / 23) / 2, 1e-15);
  EXPECT_LT(metric.interval.low, metric.value);
}

TEST(ExpectedCalibrationError, WeighsTheGapsOfTheBins) {
  // Two bins: confidence 0.9 with 1 of 2 right (gap 0.4), confidence 0.6 with 2 of 2 right (gap 0.4), and 0.7 alone,
  // right (0.3).
  const auto outcomes = two_classes({0.9, 0.9, 0.6, 0.6, 0.7}, {0, 1, 0, 0, 0});
  EXPECT_NEAR(expected_calibration_error(outcomes).value, (2 * 0.4 + 2 * 0.4 + 0.3) / 5, 1e-12);
}

TEST(ExpectedCalibrationError, IsZeroWhenConfidenceEqualsAccuracy) {
  const auto outcomes = two_classes({0.75, 0.75, 0.75, 0.75}, {0, 0, 1, 0});
  EXPECT_NEAR(expected_calibration_error(outcomes).value, 0, 1e-12);
}

TEST(ExpectedCalibrationError, HasNoIntervalOfItsOwnAsItIsBiased) {
  EXPECT_TRUE(std::isnan(expected_calibration_error(shuffled_pair().first).interval.low));
}

TEST(CalibratedEce, IsTheExpectedOneOfASingleCoin) {
  // Confidence 0.8: right with 0.8 gives 0.2, wrong with 0.2 gives 0.8; mean 0.32.
  const Metric metric = calibrated_ece(two_classes({0.8}, {0}), Rng(0));
  EXPECT_NEAR(metric.value, 0.32, 0.03);
  EXPECT_NEAR(metric.interval.low, 0.2, 1e-12);
  EXPECT_NEAR(metric.interval.high, 0.8, 1e-12);
}

/// A network that is right as often as it says, `n` images of 7 classes.
Outcomes calibrated_outcomes(int64_t n, Rng rng) {
  Outcomes outcomes{torch::empty({n, 7}, torch::kFloat64), torch::empty({n}, torch::kInt64)};
  for (int64_t i = 0; i < 7 * n; ++i) outcomes.probabilities.data_ptr<double>()[i] = 2 * rng.normal();
  outcomes.probabilities = torch::softmax(outcomes.probabilities, 1).contiguous();
  for (int64_t i = 0; i < n; ++i) {
    const double* row = outcomes.probabilities.data_ptr<double>() + 7 * i;
    double left = rng.uniform();
    int64_t label = 0;
    while (label < 6 && (left -= row[label]) >= 0) ++label;
    outcomes.labels.data_ptr<int64_t>()[i] = label;
  }
  return outcomes;
}

/// How often `holds` is true of 300 draws.
double share_of(const std::function<bool(const Outcomes&, const Rng&)>& holds, int64_t n) {
  constexpr int64_t kRepeats = 300;
  int64_t count = 0;
  for (int64_t i = 0; i < kRepeats; ++i) {
    const Rng rng = Rng(17).split(static_cast<uint64_t>(n)).split(static_cast<uint64_t>(i));
    count += holds(calibrated_outcomes(n, rng.split("images")), rng.split("draws"));
  }
  return static_cast<double>(count) / kRepeats;
}

TEST(CalibratedEce, IntervalHoldsTheEceOfACalibratedNetworkAsOftenAsItSays) {
  const auto holds = [](const Outcomes& outcomes, const Rng& rng) {
    const double ece = expected_calibration_error(outcomes).value;
    const Interval interval = calibrated_ece(outcomes, rng).interval;
    return interval.low <= ece && ece <= interval.high;
  };
  EXPECT_NEAR(share_of(holds, 100), 0.95, 0.035);  // ± 2.8 standard errors of 300 draws
}

TEST(Intervals, HoldTheTrueValueAboutAsOftenAsTheySay) {
  // Brier and NLL of a calibrated network are, image by image, known without the label.
  const auto truth = [](const Outcomes& outcomes, bool brier) {
    const auto p = outcomes.probabilities;
    return (brier ? (1 - p.square().sum(1)) : -(p * p.log()).sum(1)).mean().item<double>();
  };
  for (const bool brier : {true, false}) {
    const auto holds = [&](const Outcomes& outcomes, const Rng&) {
      const Interval interval = brier ? brier_score(outcomes).interval : negative_log_likelihood(outcomes).interval;
      const double expected = truth(outcomes, brier);
      return interval.low <= expected && expected <= interval.high;
    };
    EXPECT_GE(share_of(holds, 100), 0.93) << (brier ? "brier" : "nll");
  }
}

/// A network of 7 classes in FER2013's proportions that is right with the probability `recall` whatever the class, else
/// names each other class as often as it occurs: the probability of each cell of its confusion matrix.
torch::Tensor cells_of(double recall) {
  const auto shares = torch::tensor({0.137, 0.015, 0.147, 0.245, 0.165, 0.116, 0.175}, torch::kFloat64);
  const auto wrong = shares.unsqueeze(1) * (1 - recall) * shares / (1 - shares).unsqueeze(1);
  return torch::where(torch::eye(7, torch::kFloat64).gt(0), shares.unsqueeze(1) * recall, wrong);
}

/// How often balanced accuracy's interval and macro F1's hold the true mean of the classes that occur, of 400 draws.
std::pair<double, double> coverage(double recall, int64_t n) {
  constexpr int64_t kRepeats = 400;
  const auto cells = cells_of(recall).contiguous();
  const auto f1 = 2 * cells.diag() / (cells.sum(0) + cells.sum(1));
  std::pair<int64_t, int64_t> held{0, 0};
  for (int64_t repeat = 0; repeat < kRepeats; ++repeat) {
    Rng rng = Rng(23).split(static_cast<uint64_t>(n)).split(static_cast<uint64_t>(repeat));
    auto confusion = torch::zeros({7, 7}, torch::kInt64);
    for (int64_t i = 0; i < n; ++i) {
      double left = rng.uniform();
      int64_t cell = 0;
      while (cell < 48 && (left -= cells.data_ptr<double>()[cell]) >= 0) ++cell;
      ++confusion.data_ptr<int64_t>()[cell];
    }
    const Interval balanced = balanced_accuracy(confusion).interval, macro = macro_f1(confusion).interval;
    const auto occurring = (confusion.sum(0) + confusion.sum(1)).gt(0);
    const double expected = f1.masked_select(occurring).mean().item<double>();
    held.first += balanced.low <= recall && recall <= balanced.high;
    held.second += macro.low <= expected && expected <= macro.high;
  }
  return {static_cast<double>(held.first) / kRepeats, static_cast<double>(held.second) / kRepeats};
}

TEST(Intervals, OfMeansOverClassesHoldTheTrueValueForGoodAndBadNetworks) {
  for (const double recall : {0.92, 0.6, 0.3}) {
    const auto [balanced, macro] = coverage(recall, 100);
    EXPECT_GE(balanced, 0.925) << recall;  // 0.95 less 2.3 standard errors of 400 draws
    EXPECT_GE(macro, 0.925) << recall;
  }
  const auto [balanced, macro] = coverage(0.6, 10);
  EXPECT_GE(balanced, 0.925);
  EXPECT_GE(macro, 0.9);
}

/// Every interval of one set of outcomes, by name, with the range of its measure.
std::map<std::string, std::pair<Metric, double>> all_intervals(const Outcomes& outcomes) {
  constexpr double kEndless = std::numeric_limits<double>::infinity();
  const auto confusion = confusion_matrix(outcomes, outcomes.probabilities.size(1));
  return {{"accuracy", {accuracy(confusion), 1}}, {"balanced", {balanced_accuracy(confusion), 1}},
          {"macro F1", {macro_f1(confusion), 1}}, {"calibrated ECE", {calibrated_ece(outcomes, Rng(1)), 1}},
          {"Brier", {brier_score(outcomes), 2}},  {"NLL", {negative_log_likelihood(outcomes), kEndless}}};
}

TEST(Intervals, HaveWidthAndStayInRangeForFewImagesAllRightAllWrongAndAllSure) {
  for (const int64_t n : {1, 2, 10}) {
    for (const double p : {0.0, 0.5, 0.6, 0.999, 1.0}) {
      for (const int64_t label : {0, 1}) {
        const auto outcomes = two_classes(std::vector<double>(n, p), std::vector<int64_t>(n, label));
        for (const auto& [name, entry] : all_intervals(outcomes)) {
          const auto& [metric, top] = entry;
          EXPECT_LT(metric.interval.low, metric.interval.high) << name << " n " << n << " p " << p;
          EXPECT_LE(metric.interval.low, metric.value + 1e-12) << name;
          EXPECT_GE(metric.interval.high, metric.value - 1e-12) << name;
          EXPECT_GE(metric.interval.low, 0) << name;
          EXPECT_LE(metric.interval.high, top) << name;
        }
      }
    }
  }
}

TEST(Reliability, PutsABorderIntoTheLowerBin) {
  const auto bins = reliability(two_classes({0.8}, {0}), 5);
  EXPECT_EQ(bins[3].accuracy.n, 1);
  EXPECT_EQ(bins[4].accuracy.n, 0);
  EXPECT_TRUE(std::isnan(bins[4].confidence));
}

TEST(Brier, IsTheSquaredDistanceToTheOneHotLabel) {
  EXPECT_NEAR(brier_score(two_classes({0.9, 0.4}, {0, 0})).value, (2 * 0.01 + 2 * 0.36) / 2, 1e-12);
}

TEST(NegativeLogLikelihood, IsInNatsAndFiniteForImpossibleEvents) {
  EXPECT_NEAR(negative_log_likelihood(two_classes({0.5, 0.25}, {0, 0})).value, (std::log(2) + std::log(4)) / 2, 1e-12);
  EXPECT_NEAR(negative_log_likelihood(two_classes({1.0}, {1})).value, 103.6, 0.1);
}

TEST(Metrics, HaveTheSameBitsForAnyOrderOfTheImages) {
  const auto [first, second] = shuffled_pair();
  expect_same_bits(brier_score(first), brier_score(second));
  expect_same_bits(negative_log_likelihood(first), negative_log_likelihood(second));
  EXPECT_EQ(expected_calibration_error(first).value, expected_calibration_error(second).value);
  expect_same_bits(calibrated_ece(first, Rng(3)), calibrated_ece(second, Rng(3)));
  expect_same_bits(macro_f1(confusion_matrix(first, 3)), macro_f1(confusion_matrix(second, 3)));
}

}  // namespace

}  // namespace fercli
