// The watch for catastrophic overfitting, and how the attack grows over a run.
#include "train/collapse_watch.hpp"

#include "tests/precompiled_tests.hpp"
#include "train/attack_schedule.hpp"

namespace fercli::test {

namespace {

/// Epochs after which the weights had these balanced robust accuracies.
std::vector<EpochRecord> epochs_with(const std::vector<double>& accuracies) {
  std::vector<EpochRecord> history;
  for (const double accuracy : accuracies) {
    EpochRecord record;
    record.robust.emplace();
    record.robust->live_balanced_accuracy = accuracy;
    history.push_back(record);
  }
  return history;
}

TEST(CollapseWatch, ACollapseIsAFallBelowHalfOfTheBest) {
  EXPECT_TRUE(has_collapsed(epochs_with({0.2, 0.4, 0.3, 0.199}), 7));
  EXPECT_FALSE(has_collapsed(epochs_with({0.2, 0.4, 0.3, 0.2}), 7));
  EXPECT_FALSE(has_collapsed(epochs_with({0.2, 0.4, 0.1, 0.3}), 7));  // only the last epoch counts
  EXPECT_EQ(best_live_accuracy(epochs_with({0.2, 0.4, 0.3})), 0.4);
}

TEST(CollapseWatch, WhatWasNoBetterThanAConstantAnswerCannotCollapse) {
  EXPECT_FALSE(has_collapsed(epochs_with({1.0 / 7, 0}), 7));
  EXPECT_TRUE(has_collapsed(epochs_with({0.15, 0}), 7));
}

TEST(CollapseWatch, SeveralStepsReplaysAndStandardTrainingAreNotWatched) {
  const auto watched = [](const std::string& loss, int64_t steps) {
    return may_collapse(Registry<TrainingLoss>::instance().get(loss), steps);
  };
  EXPECT_TRUE(watched("pgd-at", 1));
  EXPECT_FALSE(watched("n-fgsm", 2));
  EXPECT_FALSE(watched("free", 1));
  EXPECT_FALSE(watched("cross-entropy", 0));
}

AttackSchedule schedule_with(const Given& given, const std::string& loss = "n-fgsm") {
  TrainOptions options;
  options.loss = loss;
  options.loss_parameters = given;
  options.adversarial.eps = 0.03;
  options.adversarial.ramp = 0.25;
  options.schedule.epochs = 8;
  options.micro_shards = 4;
  return AttackSchedule(options);
}

TEST(AttackSchedule, EpsRisesEvenlyOverItsShareOfTheRunAndStays) {
  const AttackSchedule schedule = schedule_with({});
  EXPECT_DOUBLE_EQ(schedule.eps(0), 0);
  EXPECT_DOUBLE_EQ(schedule.eps(0.5), 0.0075);
  EXPECT_DOUBLE_EQ(schedule.eps(2), 0.03);
  EXPECT_DOUBLE_EQ(schedule.eps(7.5), 0.03);
}

TEST(AttackSchedule, TheStepSizeRisesWithEpsWhetherGivenOrByTheLosssRule) {
  EXPECT_DOUBLE_EQ(schedule_with({}).at(1, 1).alpha, 0.015);  // n-fgsm: eps / steps
  EXPECT_DOUBLE_EQ(schedule_with({}).at(1, 3).alpha, 0.005);
  EXPECT_DOUBLE_EQ(schedule_with({{"alpha", "0.02"}}).at(1, 3).alpha, 0.01);
}

TEST(AttackSchedule, OnlyAReplayDoesNotStopAtAnInterrupt) {
  EXPECT_TRUE(schedule_with({}).at(1, 1).stops);
  EXPECT_FALSE(schedule_with({}, "free").at(1, 1).stops);
  EXPECT_EQ(schedule_with({{"attack-steps", "3"}}, "free").first_steps(), 3);
}

TEST(AttackSchedule, TakesTheStatisticsOfTheLossUnlessGiven) {
  EXPECT_EQ(schedule_with({}).at(1, 1).statistics, Statistics::Batch);
  EXPECT_EQ(schedule_with({{"attack-statistics", "running"}}).at(1, 1).statistics, Statistics::Running);
}

}  // namespace

}  // namespace fercli::test
