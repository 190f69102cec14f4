#include <ATen/ATen.h>

#include "core/container.hpp"
#include "core/files.hpp"
#include "data/formats/reader.hpp"
#include "tests/cli/run_program.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"
#include "train/trainer.hpp"
#include "train/training_loss.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 24;

Dataset small_faces(const std::string& source) {
  ReadOptions options;
  options.size = kSide;
  return read_dataset(source, options);
}

const Dataset& learnt_faces() {
  static const Dataset data = small_faces("synthetic:n=350,seed=4");
  return data;
}

const Dataset& other_faces() {
  static const Dataset data = small_faces("synthetic:n=140,seed=5");
  return data;
}

Checkpoint fresh_start(int64_t width) {
  Checkpoint start;
  start.arch = "small-cnn";
  start.options.settings = {{"width", static_cast<double>(width)}, {"dropout", 0}};
  start.options.size = kSide;
  start.preprocessing = {1, kSide, {0.5}, {0.25}};
  start.classes = LabelSet::fer2013();
  start.network = make_network(start.arch, start.options, 1);
  return start;
}

TrainOptions options_for(const std::string& loss, int64_t epochs) {
  TrainOptions options;
  options.loss = loss;
  options.schedule = {"one-cycle", 0.1, epochs, 0};
  options.batch_size = 25;
  options.ema = 0.97;
  options.label_smoothing = 0.05;
  options.augmentation = Augmentation::none();
  options.save_every = 1000;
  options.runtime.precision = "fp32";
  options.adversarial.robust_images = 35;
  options.adversarial.robust_steps = 5;
  return options;
}

std::vector<EpochRecord> train(const TrainOptions& options, const Checkpoint& start,
                               const std::filesystem::path& folder, const Dataset& data) {
  Trainer trainer(options, start, data, other_faces(), folder);
  trainer.run([](const auto&) {});
  return trainer.history();
}

double balanced_pgd_accuracy(const Checkpoint& checkpoint, double eps) {
  return RobustValidation(other_faces(), eps, 140, 10)
      .measure(make_classifier(checkpoint, {}), 140)
      .balanced_accuracy();
}

/// Standard training, once for all tests.
Checkpoint standard_network() {
  static const test::ScratchFolder folder;
  if (!std::filesystem::exists(folder / "best.pt")) {
    train(options_for("cross-entropy", 5), fresh_start(8), folder.path(), learnt_faces());
  }
  return load_checkpoint(folder / "best.pt");
}

TEST(AdversarialTraining, GainsTwentyPointsOfBalancedRobustAccuracyOnDrawnFaces) {
  constexpr double kEps = 4 / 255.0;
  const test::ScratchFolder robust;
  TrainOptions options = options_for("n-fgsm", 4);
  options.adversarial.eps = kEps;
  train(options, standard_network(), robust.path(), learnt_faces());
  const double before = balanced_pgd_accuracy(standard_network(), kEps);
  const double after = balanced_pgd_accuracy(load_checkpoint(robust / "best.pt"), kEps);
  EXPECT_GE(after, before + 0.2) << before;
}

const Dataset& few_faces() {
  static const Dataset data = small_faces("synthetic:n=42,seed=6");
  return data;
}

class EachAdversarialLoss : public testing::TestWithParam<std::string> {
 protected:
  TrainOptions options() const {
    TrainOptions options = options_for(GetParam(), 2);
    const TrainingLoss& loss = Registry<TrainingLoss>::instance().get(GetParam());
    if (loss.attack->searches) options.loss_parameters["attack-steps"] = "2";
    options.adversarial.awp = 0.005;
    options.adversarial.robust_images = 14;
    options.adversarial.robust_steps = 2;
    options.class_weights = "sqrt";
    options.logit_adjustment = 0.5;
    options.mixup = 0.2;
    options.augmentation.crop = 20;
    options.full_epochs = 1;
    return options;
  }
};

TEST_P(EachAdversarialLoss, ResumedAfterAnEpochEndsWithTheSameWeights) {
  const test::ScratchFolder whole, parts;
  train(options(), fresh_start(4), whole.path(), few_faces());
  {
    Trainer trainer(options(), fresh_start(4), few_faces(), other_faces(), parts.path());
    EXPECT_THROW(trainer.run([](const auto&) { throw std::runtime_error("stopped after the first epoch"); }),
                 std::runtime_error);
  }
  Trainer trainer(options(), fresh_start(4), few_faces(), other_faces(), parts.path());
  trainer.resume();
  ASSERT_EQ(trainer.history().size(), 1u);
  EXPECT_TRUE(trainer.history().front().robust.has_value());
  trainer.run([](const auto&) {});
  EXPECT_EQ(read_file(whole / "last.pt") == read_file(parts / "last.pt"), true);
}

INSTANTIATE_TEST_SUITE_P(Losses, EachAdversarialLoss, testing::ValuesIn(adversarial_losses()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(AdversarialTraining, RaisesEpsEvenlyThenHoldsIt) {
  const test::ScratchFolder folder;
  TrainOptions options = options_for("n-fgsm", 4);
  options.adversarial.eps = 8 / 255.0;
  options.adversarial.ramp = 0.5;
  const auto history = train(options, fresh_start(4), folder.path(), few_faces());
  const double expected[] = {4, 8, 8, 8};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(history[i].robust->eps * 255, expected[i], 1e-9);
}

TEST(AdversarialTraining, ChoosesTheBestEpochByBalancedRobustAccuracy) {
  const test::ScratchFolder folder;
  const auto history = train(options_for("pgd-at", 3), fresh_start(4), folder.path(), few_faces());
  double best = -1;
  for (const auto& record : history) {
    EXPECT_EQ(record.best, record.robust->balanced_accuracy > best);
    best = std::max(best, record.robust->balanced_accuracy);
  }
  const auto saved = load_checkpoint(folder / "best.pt").training.at("last_epoch").at("robust");
  EXPECT_DOUBLE_EQ(saved.at("balanced_accuracy"), best);
}

TEST(AdversarialTraining, RollsBackACollapseAndGoesOnWithTwoSteps) {
  const test::ScratchFolder folder;
  // The weights hold against a tiny eps at first; then the rising learning rate teaches them that all faces are angry.
  Dataset wrong = few_faces();
  wrong.labels = torch::zeros_like(wrong.labels);
  TrainOptions options = options_for("n-fgsm", 4);
  options.adversarial.eps = 0.5 / 255;
  options.schedule = {"constant", 0.04, 4, 4};
  options.ema = 0;
  const auto history = train(options, standard_network(), folder.path(), wrong);
  ASSERT_EQ(history.size(), 4u);
  EXPECT_EQ(history.front().robust->steps, 1);
  EXPECT_EQ(history.back().robust->steps, 2);
  const auto rollbacks = load_checkpoint(folder / "last.pt").training.at("rollbacks");
  ASSERT_EQ(rollbacks.size(), 1u);
  EXPECT_EQ(rollbacks[0].at("back_to").get<int64_t>() + 1, rollbacks[0].at("epoch"));
}

TEST(RobustValidation, TakesEquallyManyImagesOfEachClassWhateverTheirOrder) {
  std::vector<int64_t> reversed;
  for (int64_t row = other_faces().size(); row-- > 0;) reversed.push_back(row);
  const auto classifier = make_classifier(fresh_start(4), {});
  const RobustValidation forward(other_faces(), 2 / 255.0, 21, 2);
  const RobustValidation backward(other_faces().select(reversed), 2 / 255.0, 21, 2);
  const auto counts = forward.measure(classifier, 21);
  EXPECT_EQ(counts.images, std::vector<int64_t>(7, 3));
  EXPECT_EQ(counts.hits, backward.measure(classifier, 21).hits);
}

TEST(RobustCounts, WeighsClassesEquallyOrByTheirSize) {
  const RobustCounts counts{{1, 3, 0}, {2, 3, 0}};
  EXPECT_DOUBLE_EQ(counts.balanced_accuracy(), 0.75);
  EXPECT_DOUBLE_EQ(counts.accuracy({30, 10, 5}), (0.5 * 30 + 1.0 * 10) / 40);
}

}  // namespace

}  // namespace fercli
