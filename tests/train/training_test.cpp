#include <ATen/ATen.h>

#include "core/container.hpp"
#include "core/files.hpp"
#include "data/batches.hpp"
#include "data/formats/reader.hpp"
#include "models/networks/network.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "train/trainer.hpp"
#include "train/training_loss.hpp"

namespace fercli {

namespace {

const Dataset& faces() {
  static const Dataset data = read_dataset("synthetic:n=140,seed=4");
  return data;
}

constexpr int64_t kTrainingSide = 24;

/// Smaller, for tests that train.
const Dataset& training_faces() {
  static const Dataset data = [] {
    ReadOptions options;
    options.size = kTrainingSide;
    return read_dataset("synthetic:n=140,seed=4", options);
  }();
  return data;
}

TrainOptions quick_options() {
  TrainOptions options;
  options.schedule.epochs = 2;
  options.schedule.lr = 0.05;
  options.batch_size = 32;
  options.mixup = 0.2;
  options.augmentation.erase = 0.3;
  options.save_every = 1000;
  options.runtime.precision = "fp32";
  return options;
}

Checkpoint small_start() {
  Checkpoint start;
  start.arch = "small-cnn";
  start.options.settings = {{"width", 8}, {"dropout", 0.2}};
  start.options.size = kTrainingSide;
  start.preprocessing = {1, kTrainingSide, {0.5}, {0.25}};
  start.classes = LabelSet::fer2013();
  start.network = make_network(start.arch, start.options, 1);
  return start;
}

std::vector<EpochRecord> train(const TrainOptions& options, const std::filesystem::path& folder) {
  Trainer trainer(options, small_start(), training_faces(), training_faces(), folder);
  trainer.run([](const auto&) {});
  return trainer.history();
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(Training, LearnsDrawnFaces) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule.epochs = 10;
  options.schedule.lr = 0.1;
  options.batch_size = 14;
  options.augmentation = Augmentation::none();
  options.ema = 0;
  options.mixup = 0;
  const auto history = train(options, folder.path());
  EXPECT_GT(history.back().validation_accuracy, 0.5);  // chance is 1/7
  EXPECT_LT(history.back().train_loss, history.front().train_loss);
}

TEST(Training, EachStepSeesTheWeightsThatTheLastOneLeft) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule = {"constant", 0.1, 4, 0};
  options.batch_size = 140;  // one step per epoch
  options.augmentation = Augmentation::none();
  options.mixup = options.ema = options.label_smoothing = 0;
  Checkpoint start = small_start();
  start.options.settings["dropout"] = 0;
  start.network = make_network(start.arch, start.options, 1);
  std::vector<double> expected;  // the loss of the next epoch, from the weights in the file
  Trainer trainer(options, start, training_faces(), training_faces(), folder.path());
  trainer.run([&](const auto&) {
    const Checkpoint saved = load_checkpoint(folder / "last.pt");
    const TrainingModel fresh(saved, Precision::Float32, torch::kCPU);
    saved.network->train();
    const torch::NoGradGuard no_grad;
    const auto target = at::one_hot(training_faces().labels, 7).to(torch::kFloat32);
    const auto logits = fresh.logits(to_float(training_faces().images));
    expected.push_back(soft_cross_entropy(logits, target, torch::ones({140})).item<double>());
  });
  for (size_t i = 1; i < 4; ++i) EXPECT_NEAR(trainer.history()[i].train_loss, expected[i - 1], 5e-3);
}

TEST(Training, EqualSeedsGiveEqualWeights) {
  const test::ScratchFolder a, b;
  train(quick_options(), a.path());
  train(quick_options(), b.path());
  EXPECT_EQ(read_file(a / "last.pt"), read_file(b / "last.pt"));
}

TEST(Training, ResumedAfterAnEpochEndsWithTheSameWeights) {
  const test::ScratchFolder whole, parts;
  train(quick_options(), whole.path());
  {
    Trainer trainer(quick_options(), small_start(), training_faces(), training_faces(), parts.path());
    EXPECT_THROW(trainer.run([](const auto&) { throw std::runtime_error("stopped after the first epoch"); }),
                 std::runtime_error);
  }
  Trainer trainer(quick_options(), small_start(), training_faces(), training_faces(), parts.path());
  trainer.resume();
  EXPECT_EQ(trainer.history().size(), 1u);
  trainer.run([](const auto&) {});
  EXPECT_EQ(read_file(whole / "last.pt"), read_file(parts / "last.pt"));
}

TEST(Training, AResumeWithOtherOptionsIsRefused) {
  const test::ScratchFolder folder;
  train(quick_options(), folder.path());
  TrainOptions other = quick_options();
  other.weight_decay = 0.1;
  Trainer trainer(other, small_start(), training_faces(), training_faces(), folder.path());
  EXPECT_THAT(message_of([&] { trainer.resume(); }),
              testing::HasSubstr("--weight-decay was 0.0005 when this run was started, now it is 0.1"));
}

TEST(Training, StopsOnALossThatIsNotFinite) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule = {"constant", 10, 40, 0};
  options.optimizer = "sgd";
  options.weight_decay = 1;
  EXPECT_THAT(message_of([&] { train(options, folder.path()); }), testing::HasSubstr("the training loss became"));
}

TEST(Training, SavesNothingWhenTheValidationLossIsNotFinite) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule = {"constant", 3e38, 1, 0};  // float32 overflows
  options.batch_size = 140;                     // one step, whose own loss is that of sound weights
  const std::string message = message_of([&] { train(options, folder.path()); });
  EXPECT_THAT(message, testing::HasSubstr("the validation loss became"));
  EXPECT_THAT(message, testing::Not(testing::HasSubstr("checkpoint")));
  for (const char* name : {"best.pt", "last.pt", "training.state"})
    EXPECT_FALSE(std::filesystem::exists(folder / name)) << name;
}

TEST(Training, ARunThatLostPatienceStaysStopped) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule = {"constant", 1e-9, 9, 0};
  options.ema = 0;
  options.patience = 1;
  const size_t epochs = train(options, folder.path()).size();
  ASSERT_LT(epochs, 9u);
  Trainer again(options, small_start(), training_faces(), training_faces(), folder.path());
  again.resume();
  again.run([](const auto&) {});
  EXPECT_EQ(again.history().size(), epochs);
}

TEST(Training, AResumeKeepsTheOriginOfTheWeights) {
  const test::ScratchFolder folder;
  const auto trainer_from = [&](const nlohmann::json& weights) {
    Checkpoint start = small_start();
    start.training = {{"weights", weights}};
    return std::make_unique<Trainer>(quick_options(), start, training_faces(), training_faces(), folder.path());
  };
  trainer_from({{"file", "a.pt"}, {"sha256", "aa"}})->run([](const auto&) {});
  const auto without = trainer_from(nullptr), other = trainer_from({{"file", "a.pt"}, {"sha256", "bb"}});
  without->resume();
  EXPECT_EQ(without->start().training.at("weights").at("sha256"), "aa");
  EXPECT_THAT(message_of([&] { other->resume(); }),
              testing::HasSubstr("was started from a.pt, not from what --weights"));
}

TEST(Training, AHostileOptimizerStateIsRefused) {
  const test::ScratchFolder folder;
  train(quick_options(), folder.path());
  Container state = load_container(folder / "training.state", "training-state");
  state.tensors["optimizer"] = torch::full({100}, 'P', torch::kUInt8);
  save_container(state, folder / "training.state");
  Trainer trainer(quick_options(), small_start(), training_faces(), training_faces(), folder.path());
  const std::string message = message_of([&] { trainer.resume(); });
  EXPECT_THAT(message, testing::HasSubstr("training.state: the optimizer's state"));
}

TEST(Training, CountsTheLabelsAndNotTheTeachersAnswers) {
  const auto train_accuracy = [](std::shared_ptr<const Distillation> teacher) {
    const test::ScratchFolder folder;
    TrainOptions options = quick_options();
    options.schedule = {"constant", 1e-12, 1, 0};
    options.mixup = options.augmentation.erase = 0;
    options.teacher = std::move(teacher);
    return train(options, folder.path()).back().train_accuracy;
  };
  Checkpoint other = small_start();
  other.network = make_network(other.arch, other.options, 5);
  const auto teacher = std::make_shared<Distillation>(
      std::vector<Teacher>{{make_classifier(other, {1, "fp32"}), "other", ""}}, training_faces().classes, 1, 1);
  EXPECT_DOUBLE_EQ(train_accuracy(teacher), train_accuracy(nullptr));
}

TEST(Training, TheAnswersOfSeveralTeachersAreAveraged) {
  std::vector<Teacher> teachers;
  const auto x = to_float(training_faces().images.slice(0, 0, 4));
  auto mean = torch::zeros({4, 7});
  for (const uint64_t seed : {5, 6}) {
    Checkpoint other = small_start();
    other.network = make_network(other.arch, other.options, seed);
    teachers.push_back({make_classifier(other, {1, "fp32"}), "", fmt::format("digest {}", seed)});
    mean += at::softmax(teachers.back().network.logits(x) / 3, 1) / 2;
  }
  const auto labels = torch::eye(7).slice(0, 0, 4);
  const Distillation both(teachers, training_faces().classes, 3, 0.75);
  EXPECT_TRUE(both.targets(x, labels).allclose(0.75 * mean + 0.25 * labels, 1e-5, 1e-6));
  EXPECT_EQ(both.to_json().at("sha256"), nlohmann::json::array({"digest 5", "digest 6"}));
}

TEST(Training, TheNetworkKnowsTheWindowsThatItSawToTheEnd) {
  const auto window_after = [](int64_t crop, int64_t full_epochs) {
    const test::ScratchFolder folder;
    Checkpoint checkpoint = small_start();
    checkpoint.arch = "resnet";
    checkpoint.options.settings = {{"width", 8}, {"stages", 1}, {"blocks", 1}};
    checkpoint.options.size = checkpoint.preprocessing.size = 48;
    checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 1);
    checkpoint.training = {{"options", {{"crop", crop}, {"full-epochs", full_epochs}}}};
    save_checkpoint(checkpoint, folder / "net.pt");
    return load_checkpoint(folder / "net.pt").window;
  };
  EXPECT_EQ(window_after(40, 0), 40);
  EXPECT_EQ(window_after(40, 3), 0);
  EXPECT_EQ(window_after(48, 0), 0);
  EXPECT_EQ(window_after(8, 0), 0);
}

TEST(Training, StopsEarlyWithoutGain) {
  const test::ScratchFolder folder;
  TrainOptions options = quick_options();
  options.schedule = {"constant", 1e-8, 50, 0};
  options.ema = 0;
  options.patience = 2;
  EXPECT_LT(train(options, folder.path()).size(), 20u);
}

TEST(TrainOptimizers, AdamAndAdamWLearnToo) {
  for (const char* name : {"adam", "adamw"}) {
    const test::ScratchFolder folder;
    TrainOptions options = quick_options();
    options.optimizer = name;
    options.schedule.lr = 3e-3;
    options.schedule.epochs = 3;
    const auto history = train(options, folder.path());
    EXPECT_LT(history.back().train_loss, history.front().train_loss) << name;
  }
}

TEST(Schedules, OneCycleRisesThenFalls) {
  const Schedule schedule{"one-cycle", 1, 100, 0};
  EXPECT_NEAR(schedule.at(0, 0), 0.04, 1e-12);
  EXPECT_DOUBLE_EQ(schedule.at(25, 0), 1);
  EXPECT_NEAR(schedule.at(100, 0), 1e-4, 1e-12);
  EXPECT_LT(schedule.at(60, 0), schedule.at(40, 0));
}

TEST(Schedules, CosineEndsAtZeroAfterItsWarmUp) {
  const Schedule schedule{"cosine", 0.2, 10, 2};
  EXPECT_DOUBLE_EQ(schedule.at(1, 0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.at(2, 0), 0.2);
  EXPECT_NEAR(schedule.at(6, 0), 0.1, 1e-12);
  EXPECT_NEAR(schedule.at(10, 0), 0, 1e-12);
}

TEST(Schedules, PlateauHalvesWithEachDrop) {
  const Schedule schedule{"plateau", 0.4, 10, 0};
  EXPECT_DOUBLE_EQ(schedule.at(3, 0), 0.4);
  EXPECT_DOUBLE_EQ(schedule.at(3, 2), 0.1);
}

TEST(SoftCrossEntropy, EqualsTheHandComputedValue) {
  const auto logits = torch::tensor({{0.0f, std::log(3.0f)}, {0.0f, 0.0f}});
  const auto target = torch::tensor({{0.25f, 0.75f}, {1.0f, 0.0f}});
  const double first = -(0.25 * std::log(0.25) + 0.75 * std::log(0.75)), second = std::log(2.0);
  EXPECT_NEAR(soft_cross_entropy(logits, target, torch::ones({2})).item<double>(), (first + second) / 2, 1e-6);
  EXPECT_NEAR(soft_cross_entropy(logits, target, torch::tensor({2.0f, 0.0f})).item<double>(), first, 1e-6);
}

std::vector<Batch> batches_of(const EpochPlan& plan, const Augmentation& augmentation) {
  EpochBatches source(faces(), augmentation, Rng(7), plan);
  std::vector<Batch> batches;
  for (Batch batch; source.next(batch);) batches.push_back(batch);
  return batches;
}

TEST(Batches, AnEpochCanBeEnteredAnywhere) {
  const auto all = batches_of({3, 32}, {}), rest = batches_of({3, 32, 2}, {});
  ASSERT_EQ(all.size(), rest.size() + 2);
  for (size_t i = 0; i < rest.size(); ++i) {
    EXPECT_TRUE(at::equal(all[i + 2].x, rest[i].x));
    EXPECT_TRUE(at::equal(all[i + 2].y, rest[i].y));
  }
}

TEST(Batches, EveryImageComesOnceInAnEpoch) {
  int64_t seen = 0;
  auto counts = torch::zeros({7}, torch::kInt64);
  for (const auto& batch : batches_of({3, 32}, {})) {
    seen += batch.x.size(0);
    counts += at::bincount(batch.y, {}, 7);
  }
  EXPECT_EQ(seen, faces().size());
  EXPECT_TRUE(at::equal(counts, at::bincount(faces().labels, {}, 7)));
}

TEST(Batches, TheRowsOfEachPartAreThoseOfItsImages) {
  EpochPlan second_half{3, 32};
  second_half.part = 1;
  second_half.of = 2;
  for (const auto& batch : batches_of(second_half, Augmentation::none())) {
    const auto rows = torch::tensor(batch.rows, torch::kInt64);
    EXPECT_TRUE(at::allclose(batch.x, to_float(faces().images.index_select(0, rows)), 0, 1e-6));
    EXPECT_TRUE(at::equal(batch.y, faces().labels.index_select(0, rows)));
  }
}

TEST(AugmentationNone, KeepsEveryPixel) {
  const auto source = faces().images.slice(0, 0, 1).contiguous();
  auto target = torch::empty({1, 48, 48});
  augment_image(source.data_ptr<uint8_t>(), target.data_ptr<float>(), 1, 48, Augmentation::none(), Rng(1));
  EXPECT_TRUE(at::allclose(target, to_float(source)[0], 0, 1e-6));
}

TEST(AugmentationFlip, MirrorsTheImage) {
  Augmentation augmentation = Augmentation::none();
  augmentation.flip = 1;
  const auto source = faces().images.slice(0, 0, 1).contiguous();
  auto target = torch::empty({1, 48, 48});
  augment_image(source.data_ptr<uint8_t>(), target.data_ptr<float>(), 1, 48, augmentation, Rng(1));
  EXPECT_TRUE(at::allclose(target, to_float(source)[0].flip({2}), 0, 1e-5));
}

TEST(AugmentationCrop, CutsAWindowOfTheImage) {
  Augmentation augmentation = Augmentation::none();
  augmentation.crop = 40;
  const auto source = faces().images.slice(0, 0, 1).contiguous();
  auto target = torch::empty({1, 40, 40});
  augment_image(source.data_ptr<uint8_t>(), target.data_ptr<float>(), 1, 48, augmentation, Rng(2));
  const auto whole = to_float(source)[0];
  bool found = false;
  for (int64_t top = 0; top <= 8; ++top) {
    for (int64_t left = 0; left <= 8; ++left) {
      found = found || at::allclose(whole.slice(1, top, top + 40).slice(2, left, left + 40), target, 0, 1e-5);
    }
  }
  EXPECT_TRUE(found);
}

}  // namespace

}  // namespace fercli
