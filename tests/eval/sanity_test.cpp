// Each flag: a network made to trip it, and one that does not.
#include "eval/sanity.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "attacks/engine/mixture.hpp"
#include "core/error.hpp"
#include "models/networks/model.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 16, kImages = 6;

/// What is done to the input or the output of an honest network.
using Twist = std::function<torch::Tensor(const torch::Tensor& input, const AutogradExecutor& honest)>;

class TwistedExecutor : public AutogradExecutor {
 public:
  TwistedExecutor(std::shared_ptr<const Executor> honest, Twist twist)
      : honest_(std::dynamic_pointer_cast<const AutogradExecutor>(honest)), twist_(std::move(twist)) {}
  torch::Tensor forward(const torch::Tensor& input) const override { return twist_(input, *honest_); }

 private:
  std::shared_ptr<const AutogradExecutor> honest_;
  Twist twist_;
};

class TwistedModel : public Model {
 public:
  TwistedModel(std::shared_ptr<const Model> honest, Twist twist)
      : honest_(std::move(honest)), twist_(std::move(twist)) {}
  bool supports(const Execution& execution) const override { return execution.precision == Precision::Float32; }

 private:
  std::shared_ptr<const Executor> make_executor(const Execution& execution) const override {
    return std::make_shared<TwistedExecutor>(honest_->executor(execution), twist_);
  }

  std::shared_ptr<const Model> honest_;
  Twist twist_;
};

Classifier honest() {
  return test::confident_cnn(kSide);
}

Classifier twisted(const Twist& twist) {
  const Classifier model = honest();
  return Classifier(std::make_shared<TwistedModel>(model.model(), twist), model.spec());
}

torch::Tensor images() {
  return test::test_images(kImages, kSide, 0, 255);
}

std::map<std::string, bool> raised(const Classifier& classifier) {
  const auto labels = honest().logits(to_float(images())).argmax(1);
  std::map<std::string, bool> flags;
  for (const auto& flag : check_network(classifier, images(), labels, {Norm::Linf, 8 / 255.0}, 1)) {
    EXPECT_NE(flag.found.text, "") << flag.name;
    EXPECT_NE(flag.meaning.text, "") << flag.name;
    flags[flag.name] = flag.raised;
  }
  return flags;
}

/// What a flag says about the figures at eps.
std::string meaning_of(const Classifier& classifier, const std::string& name, double eps = 8 / 255.0) {
  const auto labels = honest().logits(to_float(images())).argmax(1);
  for (const auto& flag : check_network(classifier, images(), labels, {Norm::Linf, eps}, 1)) {
    if (flag.name == name) return flag.raised ? flag.meaning.text : "not raised";
  }
  return "no such flag";
}

/// How many images this attack on `classifier` breaks at eps, as `judge` sees them.
int64_t broken(const Classifier& classifier, const std::string& attack, const Classifier& judge,
               double eps = 8 / 255.0) {
  AttackSettings settings;
  settings.set("steps", 20).set("queries", 1000);
  settings.confidence = 2;
  const auto x = to_float(images());
  const auto goal = Goal::untargeted(honest().logits(x).argmax(1));
  const auto found = make_attack(attack, settings, Norm::Linf, false)
                         ->run(classifier, {Norm::Linf, eps}, {x, goal, image_keys(images())}, Rng(1));
  return goal.reached(judge.logits(found.x_adv)).sum().item<int64_t>();
}

TEST(Sanity, AnHonestNetworkRaisesNothing) {
  for (const auto& [name, is_raised] : raised(honest())) EXPECT_FALSE(is_raised) << name;
}

TEST(Sanity, NoImagesMeanNoQuestions) {
  const auto none = torch::empty({0, 1, kSide, kSide}, torch::kUInt8);
  EXPECT_TRUE(check_network(honest(), none, torch::empty({0}, torch::kInt64), {}, 1).empty());
}

TEST(Sanity, OutputsThatChangeFromCallToCallAreRandom) {
  double shift = 0;
  const auto flags = raised(twisted([&](const torch::Tensor& input, const AutogradExecutor& network) {
    const auto logits = network.forward(input);
    shift += 0.01;
    return logits + torch::arange(logits.size(1), torch::kFloat32) * shift * logits.abs().max().item<double>();
  }));
  EXPECT_TRUE(flags.at("randomized-output"));
}

TEST(Sanity, ProbabilitiesAreNoLogits) {
  const auto flags = raised(twisted(
      [](const torch::Tensor& input, const AutogradExecutor& network) { return network.forward(input).softmax(1); }));
  EXPECT_TRUE(flags.at("softmax-output"));
  EXPECT_FALSE(flags.at("randomized-output"));
}

TEST(Sanity, QuantisedInputsHaveNoGradientAndNoRisingLoss) {
  const auto flags = raised(twisted([](const torch::Tensor& input, const AutogradExecutor& network) {
    return network.forward((input * 4).round() / 4);
  }));
  EXPECT_TRUE(flags.at("zero-gradients"));
  EXPECT_TRUE(flags.at("loss-not-rising"));
  EXPECT_FALSE(flags.at("softmax-output"));
}

TEST(Sanity, LogitsSoLargeThatTheSoftmaxSaturatesAreSaidAndAttackedAllTheSame) {
  const auto flags = raised(twisted(
      [](const torch::Tensor& input, const AutogradExecutor& network) { return network.forward(input) * 1e4; }));
  EXPECT_TRUE(flags.at("zero-gradients"));
  EXPECT_FALSE(flags.at("unbounded-eps"));
  EXPECT_FALSE(flags.at("loss-not-rising"));
}

// Published kinds of defence that only mask gradients (Athalye et al., arXiv:1802.00420): each raises its flag, and the
// setting that the flag names breaks it.

TEST(BrokenDefences, ARandomInputTransformFallsToTheMeanOverDraws) {
  at::manual_seed(3);
  const auto classifier = twisted([](const torch::Tensor& input, const AutogradExecutor& network) {
    return network.forward(input + torch::randn_like(input) * 0.3);
  });
  EXPECT_THAT(meaning_of(classifier, "randomized-output"), testing::HasSubstr("--eot 20"));
  const auto mean = mixture(expectation_over("model", 40, std::make_shared<Classifier>(classifier), 1), Joining::Logits,
                            {1, kSide, kSide});
  const double eps = 48 / 255.0;
  EXPECT_THAT(meaning_of(classifier, "eot-changes-verdict", eps), testing::HasSubstr("without --eot"));
  EXPECT_GT(broken(mean, "pgd", mean, eps), broken(classifier, "pgd", mean, eps) + kImages / 2);
}

TEST(BrokenDefences, ASaturatedSoftmaxFallsToALossWithoutScale) {
  const auto classifier =
      twisted([](const torch::Tensor& input, const AutogradExecutor& network) { return network.forward(input) * 1e4; });
  EXPECT_THAT(meaning_of(classifier, "zero-gradients"), testing::HasSubstr("apgd-dlr"));
  EXPECT_EQ(broken(classifier, "apgd-dlr", classifier), broken(honest(), "apgd-dlr", honest()));
  EXPECT_GT(broken(classifier, "apgd-dlr", classifier), 0);
}

TEST(BrokenDefences, AQuantisedInputFallsToAnAttackWithoutGradients) {
  const auto classifier = twisted([](const torch::Tensor& input, const AutogradExecutor& network) {
    return network.forward((input * 8).round() / 8);
  });
  EXPECT_THAT(meaning_of(classifier, "zero-gradients"), testing::HasSubstr("square"));
  EXPECT_GT(broken(classifier, "square", classifier), broken(classifier, "bim", classifier));
}

TEST(Sanity, LogitsWhoseSquaresOverflowAreNotTakenForRandomOnes) {
  const auto flags = raised(twisted(
      [](const torch::Tensor& input, const AutogradExecutor& network) { return network.forward(input) * 1e25; }));
  EXPECT_FALSE(flags.at("randomized-output"));
}

TEST(Sanity, AGradientThatPointsBackwardsLowersTheLoss) {
  const auto flags = raised(twisted([](const torch::Tensor& input, const AutogradExecutor& network) {
    return network.forward(2 * input.detach() - input);
  }));
  EXPECT_TRUE(flags.at("loss-not-rising"));
  EXPECT_FALSE(flags.at("zero-gradients"));
}

TEST(Sanity, OneAnswerToEverythingSurvivesAnyPerturbation) {
  const auto labels = torch::full({kImages}, 3, torch::kInt64);
  const auto classifier = twisted([](const torch::Tensor& input, const AutogradExecutor& network) {
    return network.forward(input) * 1e-3 + torch::arange(7).eq(3).to(torch::kFloat32);
  });
  for (const auto& flag : check_network(classifier, images(), labels, {Norm::Linf, 8 / 255.0}, 1)) {
    EXPECT_TRUE(flag.name != "unbounded-eps" || flag.raised);
  }
}

/// Ten rightly classified images; each attack breaks its first `broken` ones.
class Comparison : public testing::Test {
 protected:
  Comparison() {
    robustness_.labels = robustness_.verdict = torch::zeros({10}, torch::kInt64);
    for (int64_t row = 0; row < 10; ++row) robustness_.rows.push_back(row);
    plan_.ladder = {{"8/255", 8 / 255.0}};
  }

  AttackRecord& add(const std::string& name, int64_t broken, Access access = Access::Gradients) {
    AttackRecord record;
    record.name = name;
    record.access = access;
    record.broken = torch::arange(10).ge(broken).to(torch::kInt64);
    record.forward = {0};
    record.stage = torch::full({10}, -1, torch::kInt64);
    robustness_.attacks.push_back(record);
    return robustness_.attacks.back();
  }

  bool raised(const std::string& name) const {
    for (const auto& flag : compare_attacks(robustness_, plan_, 7)) {
      if (flag.name == name) return flag.raised;
    }
    ADD_FAILURE() << "no flag " << name;
    return false;
  }

  Ledger robustness_;
  Trial plan_;
};

TEST_F(Comparison, BlackBoxMustNotBeatWhiteBox) {
  add("pgd", 5);
  add("square", 5, Access::Scores);
  EXPECT_FALSE(raised("black-box-beats-white-box"));
  add("spsa", 6, Access::Scores);
  EXPECT_TRUE(raised("black-box-beats-white-box"));
}

TEST_F(Comparison, OneStepMustNotBeatMany) {
  add("fgsm", 6).single_step = true;
  EXPECT_FALSE(raised("single-step-beats-iterated"));
  add("pgd", 5);
  EXPECT_TRUE(raised("single-step-beats-iterated"));
  add("apgd-ce", 7);
  EXPECT_FALSE(raised("single-step-beats-iterated"));
}

TEST_F(Comparison, SquareMustFindNothingAfterTheWhiteBoxAttacks) {
  AttackRecord& cascade = add("autoattack", 5);
  cascade.stages = {"apgd-ce", "square"};
  cascade.stage.slice(0, 0, 5).fill_(0);
  EXPECT_FALSE(raised("square-after-white-box"));
  cascade.stage[4] = 1;
  EXPECT_TRUE(raised("square-after-white-box"));
}

TEST_F(Comparison, TargetsAreAtMostTheWrongClasses) {
  add("apgd-t", 5);
  EXPECT_FALSE(raised("too-many-targets"));
  plan_.settings.set("targets", 6);
  EXPECT_FALSE(raised("too-many-targets"));
  plan_.settings.set("targets", 9);
  EXPECT_TRUE(raised("too-many-targets"));
}

}  // namespace

}  // namespace fercli
