// Micro-shards: what is added, and that the number of ranks changes no bit.
#include "train/gradient_step.hpp"

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/train/thread_ranks.hpp"
#include "train/trainer.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kShards = 4, kImages = 12, kSide = 16;
constexpr double kStepEps = 8 / 255.0;

const Dataset& shard_faces() {
  static const Dataset data = [] {
    ReadOptions options;
    options.size = kSide;
    return read_dataset("synthetic:n=42,seed=4", options);
  }();
  return data;
}

/// Without dropout: LibTorch has one generator for all threads, and ranks are threads here.
Checkpoint shard_start() {
  Checkpoint start;
  start.arch = "small-cnn";
  start.options.settings = {{"width", 4}, {"dropout", 0}};
  start.options.size = kSide;
  start.preprocessing = {1, kSide, {0.5}, {0.25}};
  start.classes = LabelSet::fer2013();
  start.network = make_network(start.arch, start.options, 1);
  start.network->train();
  return start;
}

/// A network with what one step needs.
struct Stepper {
  explicit Stepper(const TrainingLoss& chosen, double awp = 0)
      : loss(chosen), model(start, Precision::Float32, torch::kCPU), gamma(awp) {
    batch.x = to_float(shard_faces().images.slice(0, 0, kImages));
    batch.y = shard_faces().labels.slice(0, 0, kImages);
    batch.target = at::one_hot(batch.y, 7).to(torch::kFloat32);
    batch.weight = torch::ones({kImages});
    batch.adjustment = torch::zeros({7});
    batch.noise_keys = Rng(1).permutation(kImages);
    batch.parameters = Values(parameters_of(loss), {});
  }

  GradientSettings settings() const {
    GradientSettings settings{loss, model, {}, gamma, Rng(1).split("dropout"), Rng(1).split("noise")};
    if (loss.attack) settings.attack = InnerAttack{kStepEps, kStepEps / 2, 2, loss.attack->statistics, true};
    return settings;
  }

  GradientOutput step(Ranks& ranks) {
    const auto begin_of = [&](int64_t rank) { return kImages * rank / ranks.count(); };
    const auto own = batch.rows(begin_of(ranks.number()), begin_of(ranks.number() + 1));
    return take_gradients(settings(), own, memory, {kShards, kImages, ranks});
  }

  std::vector<torch::Tensor> gradients_and_statistics() const {
    std::vector<torch::Tensor> all;
    for (const auto& parameter : start.network->parameters()) all.push_back(parameter.grad());
    for (const auto& buffer : start.network->buffers()) all.push_back(buffer);
    if (memory.defined()) all.push_back(memory);
    return all;
  }

  Checkpoint start = shard_start();
  const TrainingLoss& loss;
  TrainingModel model;
  double gamma;
  TrainingBatch batch;
  torch::Tensor memory;
};

const TrainingLoss& chosen_loss(const std::string& name) {
  return Registry<TrainingLoss>::instance().get(name);
}

TEST(MicroShards, WithFixedStatisticsTheGradientIsThatOfTheWholeBatch) {
  Stepper whole(chosen_loss("cross-entropy")), sharded(chosen_loss("cross-entropy"));
  whole.start.network->eval();
  sharded.start.network->eval();
  Ranks alone;
  const auto expected = take_gradients(whole.settings(), whole.batch, whole.memory), found = sharded.step(alone);
  EXPECT_NEAR(found.loss, expected.loss, 1e-6);
  EXPECT_EQ(found.correct, expected.correct);
  const auto a = whole.gradients_and_statistics(), b = sharded.gradients_and_statistics();
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::allclose(a[i], b[i], 1e-4, 1e-6)) << i;
}

TEST(MicroShards, EachHasItsOwnStatisticsAndTheirMeanIsKept) {
  Stepper sharded(chosen_loss("cross-entropy"));
  Ranks alone;
  sharded.step(alone);
  std::vector<torch::Tensor> mean;
  for (int64_t shard = 0; shard < kShards; ++shard) {
    Stepper one(chosen_loss("cross-entropy"));
    take_gradients(one.settings(), one.batch.rows(3 * shard, 3 * shard + 3), one.memory);
    const auto values = one.gradients_and_statistics();
    for (size_t i = 0; i < values.size(); ++i) {
      if (shard == 0) mean.push_back(torch::zeros_like(values[i]));
      mean[i] += values[i] / kShards;
    }
  }
  const auto found = sharded.gradients_and_statistics();
  for (size_t i = 0; i < mean.size(); ++i) EXPECT_TRUE(at::allclose(found[i], mean[i], 1e-4, 1e-6)) << i;
}

/// Of every loss, and of weights that are perturbed too.
class EachLossInMicroShards : public testing::TestWithParam<std::pair<std::string, double>> {};

TEST_P(EachLossInMicroShards, GivesTheSameBitsWithOneTwoAndFourRanks) {
  const auto& [name, awp] = GetParam();
  const auto found = [&, &name = name, &awp = awp](int64_t count) {
    std::vector<std::vector<torch::Tensor>> of_rank(static_cast<size_t>(count));
    run_ranks(count, [&](const std::shared_ptr<Ranks>& ranks) {
      Stepper stepper(chosen_loss(name), awp);
      stepper.step(*ranks);
      stepper.step(*ranks);  // with what the first has left in the memory
      of_rank[static_cast<size_t>(ranks->number())] = stepper.gradients_and_statistics();
    });
    return of_rank;
  };
  const auto one = found(1).front();
  for (const int64_t count : {2, 4}) {
    for (const auto& of_rank : found(count)) {
      for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(of_rank[i], one[i])) << count << " " << i;
    }
  }
}

std::vector<std::pair<std::string, double>> losses_to_share() {
  std::vector<std::pair<std::string, double>> all{{"pgd-at", 0.01}};
  for (const auto& loss : Registry<TrainingLoss>::instance().all()) all.emplace_back(loss.name, 0);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Losses, EachLossInMicroShards, testing::ValuesIn(losses_to_share()), [](const auto& info) {
  std::string name = info.param.first + (info.param.second > 0 ? "_awp" : "");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(MicroShards, ALossThatIsNotANumberInOneIsKnownToAllRanks) {
  const TrainingLoss broken{"broken", "", [](const TrainingModel& model, const TrainingBatch& batch) {
                              const auto logits = model.logits(batch.x);
                              const double factor = batch.first_row == 6 ? std::nan("") : 1;
                              return LossOutput{logits.sum() * factor, logits.detach()};
                            }};
  run_ranks(2, [&](const std::shared_ptr<Ranks>& ranks) {
    Stepper stepper(broken);
    EXPECT_TRUE(std::isnan(stepper.step(*ranks).loss)) << ranks->number();
  });
}

TEST(MicroShards, WhatOneRankThrowsAllThrowAndTheStatisticsAreAsBefore) {
  const TrainingLoss broken{"broken", "", [](const TrainingModel& model, const TrainingBatch& batch) {
                              if (batch.first_row == 9) throw RunError("no memory");
                              const auto logits = model.logits(batch.x);
                              return LossOutput{logits.sum(), logits.detach()};
                            }};
  run_ranks(2, [&](const std::shared_ptr<Ranks>& ranks) {
    Stepper stepper(broken);
    const auto before = shard_start().network->buffers();
    try {
      stepper.step(*ranks);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const RunError& error) {
      EXPECT_STREQ(error.what(), "rank 1: no memory");
    }
    const auto after = stepper.start.network->buffers();
    for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(before[i], after[i])) << i;
  });
}

TEST(MicroShards, RanksThatDifferAreRefusedByName) {
  run_ranks(2, [](const std::shared_ptr<Ranks>& ranks) {
    try {
      ranks->require_same(ranks->leads() ? R"({"options":1,"weights":2})" : R"({"options":1,"weights":3})");
      ADD_FAILURE() << "nothing was thrown";
    } catch (const UserError& error) {
      EXPECT_STREQ(error.what(), "rank 1 differs from rank 0 in weights");
    }
  });
}

TrainOptions shared_options(const std::shared_ptr<Ranks>& ranks) {
  TrainOptions options;
  options.schedule.epochs = 2;
  options.batch_size = 12;  // the last batch of an epoch has 6 images, which is too few
  options.micro_shards = kShards;
  options.mixup = 0.2;
  options.save_every = 1000;
  options.runtime.precision = "fp32";
  options.ranks = ranks;
  return options;
}

void train_shared(const std::shared_ptr<Ranks>& ranks, const std::filesystem::path& folder, bool resumes, bool stops) {
  Trainer trainer(shared_options(ranks), shard_start(), shard_faces(), shard_faces(), folder);
  if (resumes) trainer.resume();
  trainer.run([&](const auto&) {
    if (stops) throw std::runtime_error("stopped after the first epoch");
  });
}

TEST(MicroShards, ARunOfTwoRanksGoesOnWithOneAndWithFourToTheSameWeights) {
  const ScratchFolder whole, one, four;
  train_shared(std::make_shared<Ranks>(), whole.path(), false, false);
  for (const auto* folder : {&one, &four}) {
    EXPECT_THROW(run_ranks(2, [&](const auto& ranks) { train_shared(ranks, folder->path(), false, true); }),
                 std::runtime_error);
  }
  train_shared(std::make_shared<Ranks>(), one.path(), true, false);
  run_ranks(4, [&](const auto& ranks) { train_shared(ranks, four.path(), true, false); });
  for (const char* name : {"best.pt", "last.pt"}) {
    EXPECT_TRUE(read_file(whole / name) == read_file(one / name)) << name;
    EXPECT_TRUE(read_file(whole / name) == read_file(four / name)) << name;
  }
}

TEST(MicroShards, ARunThatWasCutOtherwiseIsNotGoneOnWith) {
  const ScratchFolder folder;
  train_shared(std::make_shared<Ranks>(), folder.path(), false, false);
  TrainOptions whole = shared_options(nullptr);
  whole.micro_shards = 0;
  Trainer trainer(whole, shard_start(), shard_faces(), shard_faces(), folder.path());
  try {
    trainer.resume();
    FAIL() << "nothing was thrown";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("--micro-shards was 4 when this run was started, now it is not set"));
  }
}

}  // namespace

}  // namespace fercli::test
