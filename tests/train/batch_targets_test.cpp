// What the network shall answer for a batch: smoothing, weights, adjustment, mixup.
#include "train/batch_targets.hpp"

#include <ATen/ATen.h>

#include "data/formats/reader.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/train/thread_ranks.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kBatch = 8;

/// Two classes of seven: three happy faces for each angry one.
const Dataset& uneven_faces() {
  static const Dataset data = [] {
    Dataset faces = read_dataset("synthetic:n=16,seed=3");
    faces.labels = torch::tensor({0, 3, 3, 3}, torch::kInt64).repeat({4});
    return faces;
  }();
  return data;
}

Batch raw_batch() {
  Batch raw;
  raw.rows = {11, 2, 0, 15, 9, 4, 7, 6};
  const auto rows = torch::tensor(raw.rows, torch::kInt64);
  raw.x = to_float(uneven_faces().images.index_select(0, rows));
  raw.y = uneven_faces().labels.index_select(0, rows);
  raw.of_batch = kBatch;
  return raw;
}

TrainOptions target_options() {
  TrainOptions options;
  options.label_smoothing = 0.07;
  options.ranks = std::make_shared<Ranks>();
  return options;
}

TrainingBatch targets_of(const TrainOptions& options, bool noise_by_row = true) {
  return BatchTargets(options, uneven_faces(), torch::kCPU).of(raw_batch(), Rng(5), noise_by_row);
}

TEST(BatchTargets, SmoothingTakesItsShareFromTheLabelForAllClassesAlike) {
  const TrainingBatch ready = targets_of(target_options());
  const auto first = ready.target[0];
  const auto label = raw_batch().y[0].item<int64_t>();
  for (int64_t k = 0; k < 7; ++k) EXPECT_NEAR(first[k].item<double>(), k == label ? 0.94 : 0.01, 1e-6) << k;
}

TEST(BatchTargets, VotesStandInPlaceOfTheLabel) {
  Dataset voted = uneven_faces();
  voted.votes = torch::zeros({16, 7});
  voted.votes.select(1, 3).fill_(0.6);
  voted.votes.select(1, 6).fill_(0.4);
  voted.votes[11] = torch::tensor({1.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  const TrainingBatch ready = BatchTargets(target_options(), voted, torch::kCPU).of(raw_batch(), Rng(5), true);
  EXPECT_NEAR(ready.target[0][0].item<double>(), 0.94, 1e-6) << "the batch's first image is the data set's row 11";
  EXPECT_NEAR(ready.target[1][3].item<double>(), 0.6 * 0.93 + 0.01, 1e-6);
  EXPECT_NEAR(ready.target[1][6].item<double>(), 0.4 * 0.93 + 0.01, 1e-6);
  EXPECT_TRUE(torch::equal(ready.y, raw_batch().y));
}

TEST(BatchTargets, BalancedWeightsRaiseTheRareClassAndHaveAMeanOfOneOverTheImages) {
  TrainOptions options = target_options();
  options.class_weights = "balanced";
  const TrainingBatch ready = targets_of(options);
  const auto weight_of = [&](int64_t label) { return ready.weight.masked_select(ready.y == label)[0].item<double>(); };
  EXPECT_NEAR(weight_of(0) / weight_of(3), 13.0 / 5, 1e-5);  // one is added to each count
  EXPECT_NEAR((4 * weight_of(0) + 12 * weight_of(3)) / 16, 1, 1e-5);
}

TEST(BatchTargets, TheAdjustmentIsTheLogarithmOfTheClasssShare) {
  TrainOptions options = target_options();
  options.logit_adjustment = 2;
  const auto adjustment = targets_of(options).adjustment;
  EXPECT_NEAR(adjustment[3].item<double>(), 2 * std::log(13.0 / 23), 1e-5);
}

TEST(BatchTargets, NoiseIsKeyedByRowAndInRunsOfEarlierVersionsByPlace) {
  EXPECT_EQ(targets_of(target_options()).noise_keys, raw_batch().rows);
  EXPECT_EQ(targets_of(target_options(), false).noise_keys, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(BatchTargets, AMixedImageKeepsTheRowOfItsFirstAndMixesTargetsAsItMixesPixels) {
  TrainOptions options = target_options();
  options.mixup = 0.5;
  options.label_smoothing = 0;
  const TrainingBatch plain = targets_of(target_options()), mixed = targets_of(options);
  EXPECT_EQ(mixed.noise_keys, raw_batch().rows);
  EXPECT_FALSE(at::equal(mixed.x, plain.x));
  EXPECT_TRUE(at::allclose(mixed.target.sum(1), torch::ones({kBatch}), 0, 1e-6));
  EXPECT_TRUE(at::equal(mixed.target.argmax(1), mixed.y));
}

TEST(BatchTargets, WithTheSmallestMixupEachImageIsOneOfTheTwo) {
  TrainOptions options = target_options();
  options.label_smoothing = 0;
  for (const double alpha : {1e-15, 1e-300, 5e-324}) {
    options.mixup = alpha;
    const TrainingBatch mixed = targets_of(options);
    EXPECT_TRUE(at::equal(mixed.target, at::one_hot(mixed.y, 7).to(torch::kFloat32))) << alpha;
  }
}

TEST(BatchTargets, TheRanksPartsOfAMixedBatchAreThoseOfOneProcess) {
  TrainOptions options = target_options();
  options.mixup = 0.5;
  const TrainingBatch whole = targets_of(options);
  run_ranks(3, [&](const std::shared_ptr<Ranks>& ranks) {
    TrainOptions shared = options;
    shared.ranks = ranks;
    const TrainingBatch own = targets_of(shared);
    const int64_t begin = kBatch * ranks->number() / 3, end = kBatch * (ranks->number() + 1) / 3;
    EXPECT_EQ(own.first_row, begin);
    EXPECT_TRUE(at::equal(own.x, whole.x.slice(0, begin, end)));
    EXPECT_TRUE(at::equal(own.target, whole.target.slice(0, begin, end)));
    EXPECT_EQ(own.noise_keys, (std::vector<int64_t>{whole.noise_keys.begin() + begin, whole.noise_keys.begin() + end}));
  });
}

}  // namespace

}  // namespace fercli::test
