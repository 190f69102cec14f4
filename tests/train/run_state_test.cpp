// What a run goes on from: its state, its identity, and the file of both with the weights.
#include "train/run_state.hpp"

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/schema_fault.hpp"
#include "tests/user_error.hpp"
#include "train/training_state.hpp"

namespace fercli::test {

namespace {

using testing::HasSubstr;

EpochRecord epoch_record(int64_t epoch, double robust_accuracy) {
  EpochRecord record{epoch, 1.25, 0.5, 1.5, 0.6, 0.55, 0.01, 12.5, epoch == 1, RobustRecord{}};
  record.robust->eps = 2 / 255.0;
  record.robust->steps = 1;
  record.robust->counts = {{1, 0}, {2, 3}};
  record.robust->balanced_accuracy = robust_accuracy;
  record.robust->top_share = 1 / 3.0;
  return record;
}

/// In the third epoch, no two counts alike.
RunState running_state() {
  RunState state{2, 3, 25, 1, 5, 0.1 + 0.2, 20, 48, 7.5, 4, false, {{3, 2, 0.4, 1 / 7.0}}, {}};
  state.history = {epoch_record(1, 0.25), epoch_record(2, 0.125)};
  return state;
}

RunState read_state(const nlohmann::json& document) {
  RunState state;
  read_record(document, state);
  return state;
}

TEST(RunState, ComesBackFromTextWithEveryMember) {
  const nlohmann::json document = write_record(running_state()), fresh = write_record(RunState{});
  EXPECT_EQ(nlohmann::json(write_record(read_state(nlohmann::json::parse(document.dump())))), document);
  for (const auto& [name, value] : document.items()) EXPECT_NE(value, fresh.at(name)) << name;
}

constexpr const char* kEarlierState = R"({"batch": 1, "correct": 2, "drop_epoch": 0, "drops": 0, "epoch": 1,
  "epoch_seconds": 2.5, "loss_sum": 34.5, "seen": 16, "step": 10, "threads": 1, "history": [
  {"best": true, "epoch": 1, "learning_rate": 0.09, "seconds": 8.0, "train_accuracy": 0.25, "train_loss": 2.5,
   "validation_accuracy": 0.5, "validation_balanced_accuracy": 0.4, "validation_loss": 3.5, "robust":
   {"accuracy": 0.125, "balanced_accuracy": 0.375, "eps": 0.01, "hits": [0, 1], "images": [1, 2],
    "live_balanced_accuracy": 0.0625, "steps": 2, "top_class": 1, "top_share": 0.75}}]})";

TEST(RunState, OfAnEarlierVersionIsRead) {
  RunState state;
  state.attack_steps = 2;
  read_record(nlohmann::json::parse(kEarlierState), state);
  EXPECT_EQ(state.step, 10);
  EXPECT_EQ(state.loss_sum, 34.5);
  EXPECT_EQ(state.attack_steps, 2);  // which it does not say
  EXPECT_TRUE(state.rollbacks.empty());
  EXPECT_EQ(state.history.at(0).seconds, 8);
  EXPECT_EQ(state.history.at(0).robust->counts.images, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(state.history.at(0).score(), 0.375);
  EXPECT_NO_THROW(state.require_possible());
}

TEST(RunState, ThatNoRunCanHaveIsRefused) {
  const auto refused = [](const std::function<void(RunState&)>& change) {
    RunState state = running_state();
    change(state);
    try {
      state.require_possible();
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused([](RunState&) {}));
  EXPECT_TRUE(refused([](RunState& state) { state.batch = -1; }));
  EXPECT_TRUE(refused([](RunState& state) { state.seen = 0; }));
  EXPECT_TRUE(refused([](RunState& state) { state.loss_sum = std::nan(""); }));
  EXPECT_TRUE(refused([](RunState& state) { state.epoch = 3; }));
  EXPECT_TRUE(refused([](RunState& state) { state.history[1].robust.reset(); }));
  EXPECT_TRUE(refused([](RunState& state) { state.history[1].robust->counts.hits.pop_back(); }));
}

TEST(RunState, AnEpochEndsWithItsMeansAndTheNextBeginsAtZero) {
  RunState state;
  state.add_batch(2.0, 30, 15);
  state.add_batch(4.0, 10, 1);
  const EpochRecord record = state.training_record();
  EXPECT_EQ(record.epoch, 1);
  EXPECT_DOUBLE_EQ(record.train_loss, 2.5);
  EXPECT_DOUBLE_EQ(record.train_accuracy, 0.4);
  state.end_epoch(record);
  EXPECT_EQ(state.epoch, 1);
  EXPECT_EQ(state.batch + state.seen + state.correct, 0);
  EXPECT_EQ(state.loss_sum, 0);
}

TEST(RunState, AnEpochIsBestThatBeatsAllBefore) {
  RunState state;
  for (const double accuracy : {0.2, 0.5, 0.5, 0.4}) state.end_epoch(epoch_record(state.epoch + 1, accuracy));
  std::vector<bool> best;
  for (const auto& record : state.history) best.push_back(record.best);
  EXPECT_EQ(best, (std::vector<bool>{true, true, false, false}));
  EXPECT_EQ(state.best_epoch(), 2);
}

TEST(RunState, DropsWhenPatienceHasPassedSinceTheBestEpochOrTheLastDrop) {
  RunState state;
  std::vector<int64_t> drops;
  for (int64_t epoch = 1; epoch <= 6; ++epoch) {
    state.end_epoch(epoch_record(epoch, epoch == 1 ? 0.5 : 0.25));
    state.drop_on_plateau(2);
    drops.push_back(state.drops);
  }
  EXPECT_EQ(drops, (std::vector<int64_t>{0, 0, 1, 1, 2, 2}));
}

std::string difference(const TrainOptions& before, const TrainOptions& now) {
  const RunIdentity then{before.to_json(), "d", "a", {}, nullptr}, mine{now.to_json(), "d", "a", {}, nullptr};
  return message_of([&] { mine.require_same(then, "run/training.state"); });
}

TEST(RunIdentity, OptionsThatCameOrWentAreNamed) {
  TrainOptions plain, frozen, adversarial, longer;
  frozen.freeze_until = 1;
  adversarial.loss = "n-fgsm";
  longer.schedule.epochs = 9;
  EXPECT_EQ(difference(plain, plain), "");
  EXPECT_THAT(difference(plain, frozen), HasSubstr("run/training.state: --freeze-until was not set when this run was "
                                                   "started, now it is 1; a run can only be resumed unchanged"));
  EXPECT_THAT(difference(frozen, plain),
              HasSubstr("--freeze-until was 1 when this run was started, now it is not set"));
  EXPECT_THAT(difference(adversarial, plain), HasSubstr("--loss was \"n-fgsm\" when this run was started"));
  EXPECT_THAT(difference(plain, longer), HasSubstr("--weights run/last.pt --out OTHER"));
}

TEST(RunIdentity, AnotherNetworkOrOtherDataAreRefused) {
  const RunIdentity run{{}, "data", "small-cnn", {{"width", 8}}, nullptr};
  const auto refusal = [&](const std::function<void(RunIdentity&)>& change) {
    RunIdentity then = run;
    change(then);
    return message_of([&] { run.require_same(then, "t"); });
  };
  EXPECT_EQ(refusal([](RunIdentity& then) { then.settings["width"] = 4; }),
            "t: is of another architecture (small-cnn)");
  EXPECT_EQ(refusal([](RunIdentity& then) { then.arch = "vgg"; }), "t: is of another architecture (vgg)");
  EXPECT_EQ(refusal([](RunIdentity& then) { then.data = "other"; }), "t: this run was started on other data");
  EXPECT_EQ(refusal([](RunIdentity& then) { then.weights = {{"file", "a.pt"}, {"sha256", "aa"}}; }), "");
}

Checkpoint tiny_start(uint64_t seed) {
  Checkpoint start;
  start.arch = "small-cnn";
  start.options.settings = {{"width", 2}, {"dropout", 0}};
  start.network = make_network(start.arch, start.options, seed);
  return start;
}

TrainingState fresh_state(const TrainOptions& options, uint64_t seed) {
  return TrainingState(options, tiny_start(seed), {options.to_json(), "data", "small-cnn", {}, nullptr}, torch::kCPU);
}

/// With gradients of 1.
void step(TrainingState& state) {
  for (auto& weight : state.network->parameters()) weight.mutable_grad() = torch::ones_like(weight);
  state.optimizer.step();
  state.average->follow(*state.network, ++state.run.step);
}

void expect_equal_tensors(const TrainingState& a, const TrainingState& b) {
  EXPECT_TRUE(at::equal(a.memory, b.memory));
  for (const auto& [one, other] : {std::pair{a.network, b.network}, std::pair{a.evaluated(), b.evaluated()}}) {
    const auto tensors = weights_and_statistics(*one), others = weights_and_statistics(*other);
    for (size_t i = 0; i < tensors.size(); ++i) EXPECT_TRUE(at::equal(tensors[i], others[i])) << i;
  }
}

TEST(TrainingState, ComesBackFromItsFileAndTakesTheSameStepThen) {
  const ScratchFolder folder;
  TrainOptions options;
  options.optimizer = "adam";
  TrainingState saved = fresh_state(options, 1), loaded = fresh_state(options, 2);
  step(saved);
  saved.memory = torch::full({2, 3}, 0.5f);
  saved.save(folder / "training.state");
  loaded.load(read_file(folder / "training.state"), folder / "training.state");
  EXPECT_EQ(loaded.run.step, 1);
  expect_equal_tensors(saved, loaded);
  step(saved);
  step(loaded);
  expect_equal_tensors(saved, loaded);
}

TEST(TrainingState, TheJsonInItsFileFitsItsSchema) {
  const ScratchFolder folder;
  TrainingState state = fresh_state({}, 1);
  for (const auto& run : {RunState{}, running_state()}) {
    state.run = run;
    state.save(folder / "training.state");
    expect_document("training-state", load_container(folder / "training.state", "training-state").header, "state");
  }
}

TEST(TrainingState, ThatDoesNotSayWhatNoiseIsKeyedByIsOfAnEarlierVersion) {
  const ScratchFolder folder;
  TrainingState state = fresh_state({}, 1);
  state.save(folder / "training.state");
  const auto reloaded = [&] {
    state.load(read_file(folder / "training.state"), folder / "training.state");
    return state.run.noise_by_row;
  };
  EXPECT_TRUE(reloaded());
  Container file = load_container(folder / "training.state", "training-state");
  file.header.erase("noise_by_row");
  save_container(file, folder / "training.state");
  EXPECT_FALSE(reloaded());
}

TEST(TrainingState, AFileThatNoRunCanHaveWrittenIsRefused) {
  const ScratchFolder folder;
  TrainingState state = fresh_state({}, 1);
  state.run.batch = -1;
  state.save(folder / "training.state");
  EXPECT_EQ(message_of([&] { state.load(read_file(folder / "training.state"), folder / "training.state"); }),
            (folder / "training.state").string() + ": is damaged, or of another version of fercli");
}

TEST(WeightAverage, FollowsFastAtFirstAndByItsDecayLater) {
  const Checkpoint start = tiny_start(1);
  WeightAverage average(start, 0.9, torch::kCPU);
  const auto weight = start.network->parameters()[0], mean = average.network()->parameters()[0];
  const auto follow = [&](int64_t step) {
    const torch::NoGradGuard no_grad;
    mean.zero_();
    weight.fill_(1);
    average.follow(*start.network, step);
    return mean.mean().item<double>();
  };
  EXPECT_NEAR(follow(1), 1 - 2.0 / 11, 1e-6);
  EXPECT_NEAR(follow(1000), 0.1, 1e-6);
}

}  // namespace

}  // namespace fercli::test
