// Objectives and inner attacks: against the authors' TRADES program, and by hand on a linear network.
#include <ATen/ATen.h>

#include "models/networks/network.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/attacks/reference_models.hpp"
#include "tests/precompiled_tests.hpp"
#include "train/training_loss.hpp"
#include "train/weight_perturbation.hpp"

namespace fercli::test {

namespace {

constexpr double kReferenceEps = 8 / 255.0, kReferenceAlpha = 2 / 255.0;

TrainingModel training_model(const Classifier& classifier) {
  return TrainingModel({classifier.spec(), {}, classifier.network(), ""}, Precision::Float32, torch::kCPU);
}

/// Hard targets, equal weights, no adjustment; the first rows of a data set.
TrainingBatch plain_batch(const torch::Tensor& x, const torch::Tensor& y, int64_t classes) {
  TrainingBatch batch{x, y, at::one_hot(y, classes).to(torch::kFloat32), torch::ones({x.size(0)}),
                      torch::zeros({classes})};
  for (int64_t row = 0; row < x.size(0); ++row) batch.noise_keys.push_back(row);
  return batch;
}

const TrainingLoss& loss_named(const std::string& name) {
  return Registry<TrainingLoss>::instance().get(name);
}

class ReferenceTrades : public testing::TestWithParam<const char*> {
 protected:
  torch::Tensor expected(const std::string& key) const {
    return reference_file(fmt::format("cases_{}.pt", GetParam())).at(key);
  }
  double official_loss() const { return expected("trades_official.loss").item<double>(); }

  ReferenceImages images_ = reference_images("24");
  torch::Tensor x_ = images_.x.narrow(0, 0, 8), y_ = images_.y.narrow(0, 0, 8);
  TrainingModel model_ = training_model(reference_model(GetParam()));
};

TEST_P(ReferenceTrades, TheLossAgreesOnTheAuthorsPerturbedImages) {
  auto batch = plain_batch(x_, y_, 7);
  batch.x_adv = expected("trades_official.x_adv");
  batch.parameters = Values(loss_named("trades").parameters, {});
  EXPECT_NEAR(loss_named("trades").objective(model_, batch).loss.item<double>(), official_loss(),
              2e-3 * official_loss());
}

TEST_P(ReferenceTrades, TheDivergenceOfEachImageAgrees) {
  const auto x_adv = expected("pgd_linf.untargeted.x_adv");
  const auto kl = kl_divergence(model_.logits(images_.x.narrow(0, 0, x_adv.size(0))), model_.logits(x_adv));
  EXPECT_TRUE(is_close(kl, expected("trades.kl").narrow(0, 0, x_adv.size(0)), 1e-5, 1e-3));
}

TEST_P(ReferenceTrades, TheInnerAttackFindsTheAuthorsPerturbedImages) {
  const AttackedNetwork network(model_, Statistics::Running, 48);
  const auto start = x_ + 0.001 * expected("trades_official.noise");
  const InnerAttack attack{kReferenceEps, kReferenceAlpha, 10, Statistics::Running};
  const auto x_adv = ascend(network, x_, start, attack, kl_ascent(network.logits(x_).softmax(1)));
  // Near the start the gradient is tiny, and the sign of some pixels is a matter of rounding.
  EXPECT_GT(equal_share(x_adv, expected("trades_official.x_adv"), 1e-6).mean().item<double>(), 0.9);
  auto batch = plain_batch(x_, y_, 7);
  batch.x_adv = x_adv;
  batch.parameters = Values(loss_named("trades").parameters, {});
  EXPECT_NEAR(loss_named("trades").objective(model_, batch).loss.item<double>(), official_loss(),
              0.02 * official_loss());
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceTrades, testing::Values("std", "at"),
                         [](const auto& info) { return std::string(info.param); });

/// Three classes on 8x8 images that keep away from black and white: everything is known in closed form.
class ByHand : public testing::Test {
 protected:
  static constexpr int64_t kImages = 4, kSide = 8, kClasses = 3;
  static constexpr double kEps = 4 / 255.0;

  ByHand() {
    batch_.x_adv = (batch_.x + uniform_noise(batch_, kEps, Rng(9))).clamp(0, 1);
    batch_.parameters = Values({Parameter::number("beta", "2.5", at_least(0), "")}, {});
    batch_.weight = torch::tensor({0.5f, 1.5f, 1.0f, 1.0f});
  }

  /// p[n][k] by the definition, in double.
  std::vector<std::vector<double>> probabilities(const torch::Tensor& x) const {
    const auto z = x.flatten(1).to(torch::kFloat64).mm(weight_.to(torch::kFloat64).t());
    std::vector<std::vector<double>> p(kImages, std::vector<double>(kClasses));
    for (int64_t n = 0; n < kImages; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < kClasses; ++k) sum += p[n][k] = std::exp(z[n][k].item<double>());
      for (auto& value : p[n]) value /= sum;
    }
    return p;
  }

  /// The mean over the images of their weight times this.
  double weighted_mean(const std::function<double(int64_t image, int64_t label)>& value) const {
    double sum = 0;
    for (int64_t n = 0; n < kImages; ++n) {
      sum += batch_.weight[n].item<double>() * value(n, batch_.y[n].item<int64_t>());
    }
    return sum / kImages;
  }

  static double kl(const std::vector<double>& p, const std::vector<double>& q) {
    double sum = 0;
    for (size_t k = 0; k < p.size(); ++k) sum += p[k] * std::log(p[k] / q[k]);
    return sum;
  }

  double loss(const std::string& name) const { return loss_named(name).objective(model_, batch_).loss.item<double>(); }

  torch::Tensor perturb(const std::string& name, int64_t steps, const Rng& rng) {
    const AttackRecipe& recipe = *loss_named(name).attack;
    return recipe.perturb(model_, batch_, {kEps, recipe.alpha(kEps, steps), steps, recipe.statistics}, rng, memory_);
  }

  /// The sign of d cross-entropy / d x: at each pixel, of sum_k p_k w_k - w_y.
  torch::Tensor ascent_sign(const torch::Tensor& x) const {
    const auto p = x.flatten(1).mm(weight_.t()).softmax(1);
    return (p.mm(weight_) - weight_.index_select(0, batch_.y)).sign().view_as(x);
  }

  torch::Tensor weight_ = uniform_rows(Rng(5), {0, 1, 2}, {kSide * kSide});
  TrainingModel model_ = training_model(linear_classifier(weight_, torch::zeros({kClasses}), kSide));
  TrainingBatch batch_ =
      plain_batch(to_float(test_images(kImages, kSide, 100, 150)), torch::tensor({0, 1, 2, 1}), kClasses);
  torch::Tensor memory_;
};

TEST_F(ByHand, PlainAdversarialTrainingIsTheCrossEntropyOfThePerturbedImages) {
  const auto q = probabilities(batch_.x_adv);
  const double expected = weighted_mean([&](int64_t n, int64_t y) { return -std::log(q[n][y]); });
  for (const char* name : {"pgd-at", "fgsm-rs", "n-fgsm", "free"}) EXPECT_NEAR(loss(name), expected, 1e-5) << name;
}

TEST_F(ByHand, TradesAddsBetaTimesTheDivergence) {
  const auto p = probabilities(batch_.x), q = probabilities(batch_.x_adv);
  EXPECT_NEAR(loss("trades"),
              weighted_mean([&](int64_t n, int64_t y) { return -std::log(p[n][y]) + 2.5 * kl(p[n], q[n]); }), 1e-5);
}

TEST_F(ByHand, MartWeighsTheDivergenceByTheDoubtAndPushesTheRivalDown) {
  const auto p = probabilities(batch_.x), q = probabilities(batch_.x_adv);
  const auto value = [&](int64_t n, int64_t y) {
    double rival = 0;
    for (int64_t k = 0; k < kClasses; ++k) rival = k == y ? rival : std::max(rival, q[n][k]);
    return -std::log(q[n][y]) - std::log(1.0001 - rival) + 2.5 * kl(p[n], q[n]) * (1 - p[n][y]);
  };
  EXPECT_NEAR(loss("mart"), weighted_mean(value), 1e-5);
}

/// The bound of a linear network's logits is reached in a corner of the ball.
TEST_F(ByHand, IntervalBoundsAreTheWorstLogitsOfTheBall) {
  const auto z = batch_.x.flatten(1).mm(weight_.t());
  const auto worst_loss = [&](int64_t n, int64_t y) {
    double sum = 0;
    for (int64_t k = 0; k < kClasses; ++k) {
      const auto reach = kEps * (weight_[k] - weight_[y]).abs().sum();
      sum += std::exp((z[n][k] - z[n][y] + reach).item<double>());
    }
    return std::log(sum);
  };
  const auto p = probabilities(batch_.x);
  const auto clean_loss = [&](int64_t n, int64_t y) { return -std::log(p[n][y]); };
  batch_.x_adv = perturb("ibp", 1, Rng(1));
  for (const double risen : {0.0, 0.5, 1.0}) {
    batch_.parameters = Values(loss_named("ibp").parameters, {{"kappa", "0.25"}});
    batch_.risen = risen;
    const double kappa = 1 - 0.75 * risen;
    EXPECT_NEAR(loss("ibp"), kappa * weighted_mean(clean_loss) + (1 - kappa) * weighted_mean(worst_loss), 1e-4);
  }
}

TEST_F(ByHand, LogitAdjustmentRaisesTheLogitsBeforeTheCrossEntropy) {
  batch_.adjustment = torch::tensor({0.0f, std::log(2.0f), 0.0f});
  const auto p = probabilities(batch_.x);
  const double prior[] = {1, 2, 1};
  const auto value = [&](int64_t n, int64_t y) {
    return -std::log(prior[y] * p[n][y] / (p[n][0] + 2 * p[n][1] + p[n][2]));
  };
  EXPECT_NEAR(loss("cross-entropy"), weighted_mean(value), 1e-5);
}

TEST_F(ByHand, PgdEndsInTheCornerOfTheBallThatTheWeightsPointTo) {
  const auto x_adv = perturb("pgd-at", 10, Rng(3));
  EXPECT_TRUE(at::allclose(x_adv, batch_.x + kEps * ascent_sign(x_adv), 0, 1e-6));
}

TEST_F(ByHand, FgsmRsStepsFromItsRandomStartAndIsClippedToTheBall) {
  const auto start = batch_.x + uniform_noise(batch_, kEps, Rng(3));
  const auto expected = into_ball(start + 1.25 * kEps * ascent_sign(start), batch_.x, kEps);
  EXPECT_TRUE(at::allclose(perturb("fgsm-rs", 1, Rng(3)), expected, 0, 1e-6));
}

TEST_F(ByHand, NFgsmStepsFromStrongNoiseWithoutClipping) {
  const auto noisy = batch_.x + uniform_noise(batch_, 2 * kEps, Rng(3));
  const auto x_adv = perturb("n-fgsm", 1, Rng(3));
  EXPECT_TRUE(at::allclose(x_adv, noisy + kEps * ascent_sign(noisy), 0, 1e-6));
  EXPECT_GT((x_adv - batch_.x).abs().max().item<double>(), 2 * kEps);
}

TEST_F(ByHand, FreeKeepsItsPerturbationAndAddsTheSignOfTheGradient) {
  const AttackRecipe& recipe = *loss_named("free").attack;
  const InnerAttack attack{kEps, recipe.alpha(kEps, recipe.steps), recipe.steps, recipe.statistics};
  EXPECT_TRUE(at::equal(perturb("free", recipe.steps, Rng(1)), batch_.x));
  const auto direction = ascent_sign(batch_.x);
  recipe.learn_from(direction, attack, memory_);
  recipe.learn_from(direction, attack, memory_);
  EXPECT_TRUE(at::allclose(perturb("free", recipe.steps, Rng(1)), batch_.x + kEps * direction, 0, 1e-6));
}

TEST_F(ByHand, MartAttacksTheCrossEntropyAndTradesTheDivergence) {
  for (const char* name : {"mart", "trades"}) {
    const auto x_adv = perturb(name, 10, Rng(3));
    EXPECT_LE((x_adv - batch_.x).abs().max().item<double>(), kEps + 1e-6) << name;
    const auto clean = model_.logits(batch_.x), moved = model_.logits(x_adv), dull = model_.logits(batch_.x_adv);
    const auto reached = std::string(name) == "mart" ? cross_entropy(moved, batch_.y) - cross_entropy(dull, batch_.y)
                                                     : kl_divergence(clean, moved) - kl_divergence(clean, dull);
    EXPECT_TRUE(reached.gt(0).all().item<bool>()) << name;  // batch_.x_adv is random noise
  }
}

TEST_F(ByHand, TheNoiseOfAnImageIsTheSameAtAnyPlaceInTheBatch) {
  for (const auto& name : adversarial_losses()) {
    const auto in_order = perturb(name, 1, Rng(3));
    for (auto* tensor : {&batch_.x, &batch_.y, &batch_.target, &batch_.weight}) *tensor = tensor->flip({0});
    std::reverse(batch_.noise_keys.begin(), batch_.noise_keys.end());
    EXPECT_TRUE(at::allclose(perturb(name, 1, Rng(3)), in_order.flip({0}), 0, 1e-6)) << name;
  }
}

TEST_F(ByHand, AnInnerAttackLeavesNoGradientInTheWeights) {
  for (const auto statistics : {Statistics::Running, Statistics::Batch}) {
    {
      const AttackedNetwork network(model_, statistics, kSide);
      network.gradient(batch_.x, cross_entropy_ascent(batch_.y));
    }
    for (const auto& parameter : model_.network().parameters()) {
      EXPECT_FALSE(parameter.grad().defined());
      EXPECT_TRUE(parameter.requires_grad());
    }
  }
}

TEST_F(ByHand, WeightPerturbationMovesByGammaOfTheWeightsLengthAndBack) {
  const auto weights = model_.network().parameters()[0];
  const auto before = weights.detach().clone();
  const double gamma = 0.01;
  {
    const WeightPerturbation perturbation(model_.network(), loss_named("pgd-at").objective(model_, batch_).loss, gamma);
    const auto p = batch_.x_adv.flatten(1).mm(weight_.t()).softmax(1) - batch_.target;
    const auto gradient = (p * batch_.weight.unsqueeze(1)).t().mm(batch_.x_adv.flatten(1)) / kImages;
    const auto expected = weight_ + gradient * (gamma * weight_.norm() / gradient.norm());
    EXPECT_TRUE(at::allclose(weights.detach().view_as(expected), expected, 0, 1e-5));
  }
  EXPECT_TRUE(at::equal(weights.detach(), before));
}

}  // namespace

}  // namespace fercli::test
