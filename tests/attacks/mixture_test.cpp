// Mixtures: means of networks and of draws, and their gradients.
#include "attacks/engine/mixture.hpp"

#include <ATen/ATen.h>

#include <set>

#include "attacks/engine/attack.hpp"
#include "attacks/threat/losses.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/precompiled_tests.hpp"
#include "tests/user_error.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 8, kClasses = 3;
const std::vector<int64_t> kShape{1, kSide, kSide};

std::shared_ptr<const Classifier> drawn_network(uint64_t seed) {
  return std::make_shared<Classifier>(test::linear_classifier(normal_rows(Rng(seed), {0, 1, 2}, {kSide * kSide}),
                                                              torch::tensor({0.1F, 0.F, -0.1F}), kSide));
}

torch::Tensor drawn_images() {
  return to_float(test::test_images(4, kSide, 60, 190));
}

/// The gradient of sum(logits * weight) by differences.
double slope(const Classifier& classifier, const torch::Tensor& x, const torch::Tensor& direction,
             const torch::Tensor& weight) {
  constexpr double kStep = 1e-3;
  const auto value = [&](double step) {
    return (classifier.logits(x + step * direction) * weight).sum().item<double>();
  };
  return (value(kStep) - value(-kStep)) / (2 * kStep);
}

void expect_true_gradient(const Classifier& classifier, double tolerance) {
  const auto x = drawn_images(), direction = normal_rows(Rng(8), {0, 1, 2, 3}, kShape).sign();
  const auto weight = normal_rows(Rng(9), {0, 1, 2, 3}, {kClasses});
  const auto line = classifier.linearize(x);
  EXPECT_TRUE(at::allclose(line.logits, classifier.logits(x), 1e-4, 1e-4));
  const double by_gradient = (line.pullback(weight) * direction).sum().item<double>();
  EXPECT_NEAR(by_gradient, slope(classifier, x, direction, weight), tolerance);
}

TEST(Mixture, OfLogitsIsTheirMean) {
  const auto one = drawn_network(1), two = drawn_network(2);
  const auto both = mixture({{one}, {two}}, Joining::Logits, kShape);
  const auto x = drawn_images();
  EXPECT_TRUE(at::allclose(both.logits(x), (one->logits(x) + two->logits(x)) / 2, 1e-5, 1e-5));
  expect_true_gradient(both, 2e-2);
}

TEST(Mixture, OfLossesIsTheMeanOfLogProbabilities) {
  const auto one = drawn_network(1), two = drawn_network(2);
  const auto both = mixture({{one}, {two}}, Joining::Loss, kShape);
  const auto x = drawn_images();
  EXPECT_TRUE(
      at::allclose(both.logits(x), (one->logits(x).log_softmax(1) + two->logits(x).log_softmax(1)) / 2, 1e-5, 1e-5));
  expect_true_gradient(both, 2e-2);
}

TEST(Mixture, ByMarginFollowsTheNetworkThatIsFarthestFromTheGoal) {
  const std::vector<std::shared_ptr<const Classifier>> networks{drawn_network(1), drawn_network(2), drawn_network(3)};
  const auto together = mixture({{networks[0]}, {networks[1]}, {networks[2]}}, Joining::Margin, kShape);
  const auto x = to_float(test::test_images(32, kSide, 60, 190));
  const auto labels = (torch::arange(32) % kClasses).to(torch::kInt64);
  for (const bool targeted : {false, true}) {
    const auto goal = targeted ? Goal::targeted(labels) : Goal::untargeted(labels);
    const auto line = together.linearize(x);
    const auto loss = margin_loss(line.logits, goal);
    const auto gradient = line.pullback(loss.gradient);
    std::set<size_t> followed;
    for (int64_t n = 0; n < 32; ++n) {
      // With the classes that the mean logits compare, the margin of each network.
      size_t farthest = 0;
      std::vector<double> margins;
      for (const auto& network : networks) {
        margins.push_back((network->logits(x.slice(0, n, n + 1))[0] * loss.gradient[n]).sum().item<double>());
        if (margins.back() > margins[farthest]) farthest = margins.size() - 1;
      }
      followed.insert(farthest);
      const auto own = networks[farthest]->linearize(x.slice(0, n, n + 1)).pullback(loss.gradient.slice(0, n, n + 1));
      EXPECT_TRUE(at::allclose(gradient[n], own[0], 1e-5, 1e-6)) << n;
    }
    EXPECT_GT(followed.size(), 1u) << "one network is the farthest for all images: this shows nothing";
  }
}

/// A network whose classes stand in another order.
TEST(Mixture, FindsClassesByName) {
  const auto one = drawn_network(1);
  NetworkSpec spec = one->spec();
  spec.classes = LabelSet({"class2", "class0", "class1"});
  const auto turned = std::make_shared<Classifier>(one->model(), spec);
  const auto both = mixture({{one}, {turned}}, Joining::Logits, kShape);
  const auto x = drawn_images(), z = one->logits(x);
  const auto in_order = z.index_select(1, torch::tensor({1, 2, 0}));
  EXPECT_TRUE(at::allclose(both.logits(x), (z + in_order) / 2, 1e-5, 1e-5));
  expect_true_gradient(both, 2e-2);
  spec.classes = LabelSet({"a", "b", "c"});
  const auto other = std::make_shared<Classifier>(one->model(), spec);
  EXPECT_THAT(test::message_of([&] {
                mixture({{one}, {other}}, Joining::Logits, kShape);
              }),
              testing::HasSubstr("other classes"));
}

TEST(Mixture, AnImageMadeOnSeveralFoolsEachOfThemMoreThanOneMadeOnOne) {
  const std::vector<std::shared_ptr<const Classifier>> networks{drawn_network(1), drawn_network(2), drawn_network(3)};
  const auto together = mixture({{networks[0]}, {networks[1]}, {networks[2]}}, Joining::Logits, kShape);
  const auto x = drawn_images();
  const auto target = Goal::targeted(torch::full({4}, 2, torch::kInt64));
  AttackSettings settings;
  settings.set("steps", 20);
  settings.confidence = 2;
  const auto fooled = [&](const Classifier& maker) {
    const auto made = make_attack("pgd", settings, Norm::Linf, true)
                          ->run(maker, {Norm::Linf, 0.2}, {x, target, {0, 1, 2, 3}}, Rng(1));
    int64_t count = 0;
    for (const auto& network : networks) count += target.reached(network->logits(made.x_adv)).sum().item<int64_t>();
    return count;
  };
  EXPECT_GT(fooled(together), fooled(*networks[0]));
}

TEST(Expectation, OverTheCameraIsDrawnOnceAndItsGradientIsThatOfItsLinearPart) {
  const auto network = drawn_network(1);
  const auto views = expectation_over("camera", 8, network, 3);
  const auto mean = mixture(views, Joining::Logits, kShape);
  const auto x = drawn_images();
  EXPECT_TRUE(
      at::equal(mean.logits(x), mixture(expectation_over("camera", 8, network, 3), Joining::Logits, kShape).logits(x)));
  EXPECT_FALSE(
      at::equal(mean.logits(x), mixture(expectation_over("camera", 8, network, 4), Joining::Logits, kShape).logits(x)));
  EXPECT_LT((views[0].change(x) - x).abs().mean().item<double>(), 0.1) << "a photograph shows the same face";
  EXPECT_FALSE(at::equal(views[0].change(x), views[1].change(x)));
  // JPEG rounds, so that differences need long steps.
  const auto weight = torch::ones({4, kClasses}) * torch::tensor({1.F, -1.F, 0.F});
  const auto line = mean.linearize(x);
  const auto gradient = line.pullback(weight);
  const double before = (line.logits * weight).sum().item<double>();
  const double after = (mean.logits((x + 0.05 * gradient.sign()).clamp(0, 1)) * weight).sum().item<double>();
  EXPECT_GT(after, before);
}

TEST(Expectation, SurvivesTheCameraMoreOftenThanTheNetworksOwnGradient) {
  const auto network = drawn_network(1);
  const auto x = drawn_images();
  const auto goal = Goal::untargeted(network->logits(x).argmax(1));
  AttackSettings settings;
  settings.set("steps", 20);
  settings.confidence = 2;
  const auto mean = mixture(expectation_over("camera", 20, network, 1), Joining::Logits, kShape);
  const auto unseen = mixture(expectation_over("camera", 20, network, 99), Joining::Logits, kShape);
  const auto margin = [&](const Classifier& maker) {
    const auto made = make_attack("pgd", settings, Norm::Linf, false)
                          ->run(maker, {Norm::Linf, 0.05}, {x, goal, {0, 1, 2, 3}}, Rng(1));
    const auto logits = unseen.logits(made.x_adv);
    const auto own = logits.gather(1, goal.labels().unsqueeze(1));
    return (own - logits).sum().item<double>();
  };
  EXPECT_LT(margin(mean), margin(*network)) << "the lower, the deeper in other classes";
}

}  // namespace

}  // namespace fercli
