// What every registered training loss promises.
#include <ATen/ATen.h>

#include "models/networks/network.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/precompiled_tests.hpp"
#include "train/training_loss.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16, kImages = 6, kClasses = 7;
constexpr double kEps = 8 / 255.0;

class TrainingLossContract : public testing::TestWithParam<std::string> {
 protected:
  TrainingLossContract() {
    const Classifier classifier = confident_cnn(kSide);
    start_ = {classifier.spec(), {}, classifier.network(), ""};
    batch_.x = to_float(test_images(kImages, kSide, 20, 235));
    batch_.y = classifier.logits(batch_.x).argmax(1);
    batch_.y.slice(0, 0, kImages / 2).add_(1).remainder_(kClasses);  // some that the network misreads
    batch_.target = at::one_hot(batch_.y, kClasses).to(torch::kFloat32);
    batch_.weight = torch::ones({kImages});
    batch_.adjustment = torch::zeros({kClasses});
    batch_.noise_keys = {4, 0, 5, 1, 3, 2};
    batch_.parameters = Values(parameters_of(loss_), {});
  }

  TrainingModel model() { return TrainingModel(start_, Precision::Float32, torch::kCPU); }

  /// The batch with x_adv, for a loss that attacks.
  TrainingBatch perturbed() {
    TrainingBatch ready = batch_;
    if (!loss_.attack) return ready;
    const int64_t steps = loss_.attack->searches ? batch_.parameters.whole("attack-steps") : loss_.attack->steps;
    torch::Tensor memory;
    at::manual_seed(5);
    ready.x_adv = loss_.attack->perturb(
        model(), ready, {kEps, loss_.attack->alpha(kEps, steps), steps, loss_.attack->statistics}, Rng(3), memory);
    return ready;
  }

  /// Dropout draws the same each time.
  LossOutput value(const TrainingBatch& batch) {
    at::manual_seed(5);
    return loss_.objective(model(), batch);
  }

  const TrainingLoss& loss_ = Registry<TrainingLoss>::instance().get(GetParam());
  Checkpoint start_;
  TrainingBatch batch_;
};

TEST_P(TrainingLossContract, IsFiniteAndGivesTheLogitsOfEveryImage) {
  const auto output = value(perturbed());
  EXPECT_TRUE(std::isfinite(output.loss.item<double>()));
  EXPECT_EQ(output.loss.dim(), 0);
  EXPECT_EQ(output.logits.sizes(), (torch::IntArrayRef{kImages, kClasses}));
  EXPECT_FALSE(output.logits.requires_grad());
}

TEST_P(TrainingLossContract, ReachesEveryWeightOfTheNetwork) {
  value(perturbed()).loss.backward();
  for (const auto& entry : start_.network->named_parameters()) {
    ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
    EXPECT_TRUE(entry.value().grad().isfinite().all().item<bool>()) << entry.key();
  }
}

TEST_P(TrainingLossContract, AStepDownItsGradientLowersIt) {
  const auto ready = perturbed();
  const auto before = value(ready).loss;
  before.backward();
  double squares = 0;
  {
    const torch::NoGradGuard no_grad;
    for (auto& weight : start_.network->parameters()) squares += weight.grad().square().sum().item<double>();
    for (auto& weight : start_.network->parameters()) weight.sub_(weight.grad() * (1e-3 / std::sqrt(squares)));
  }
  EXPECT_LT(value(ready).loss.item<double>(), before.item<double>());
}

TEST_P(TrainingLossContract, PerturbsInsideTheUnitRangeAndTheSameWayForTheSameNoise) {
  if (!loss_.attack) {
    EXPECT_FALSE(perturbed().x_adv.defined());
    return;
  }
  const auto x_adv = perturbed().x_adv;
  EXPECT_EQ(x_adv.sizes(), batch_.x.sizes());
  EXPECT_GE(x_adv.min().item<double>(), 0);
  EXPECT_LE(x_adv.max().item<double>(), 1);
  EXPECT_TRUE(x_adv.equal(perturbed().x_adv));
}

TEST_P(TrainingLossContract, EveryParameterOfItsOwnChangesIt) {
  const auto ready = perturbed();
  const double usual = value(ready).loss.item<double>();
  for (const auto& parameter : loss_.parameters) {
    auto changed = ready;
    changed.parameters = Values(parameters_of(loss_), {{parameter.name, parameter.initial == "0.5" ? "0.25" : "0.5"}});
    EXPECT_NE(value(changed).loss.item<double>(), usual) << parameter.name;
    EXPECT_FALSE(parameter.help.empty()) << parameter.name;
  }
}

TEST_P(TrainingLossContract, SaysWhatItIsAndWhoseItIs) {
  EXPECT_FALSE(loss_.summary.empty());
  EXPECT_TRUE(!loss_.attack || !loss_.attack->paper.empty());
}

INSTANTIATE_TEST_SUITE_P(Every, TrainingLossContract, testing::ValuesIn(Registry<TrainingLoss>::instance().names()),
                         [](const auto& loss) {
                           std::string name = loss.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace

}  // namespace fercli::test
