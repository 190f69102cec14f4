// What the checks of an evaluation say in the JSON, a French report says in French.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/sanity.hpp"
#include "report/texts.hpp"
#include "tests/attacks/linear_network.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16, kImages = 8;

void expect_french(const std::vector<SanityFlag>& flags) {
  ASSERT_FALSE(flags.empty());
  for (const auto& flag : flags) {
    for (const auto& message : {flag.found, flag.meaning}) {
      EXPECT_EQ(words_of(message, "en"), message.text);
      EXPECT_NE(words_of(message, "fr"), message.text) << flag.name << " has no French";
    }
  }
}

std::vector<SanityFlag> flags_of(const Classifier& classifier) {
  const auto images = test_images(kImages, kSide, 0, 255);
  const auto labels = classifier.logits(to_float(images)).argmax(1);
  return check_network(classifier, images, labels, {Norm::Linf, 8 / 255.0}, 1);
}

TEST(SanityTexts, OfAnOrdinaryNetworkAreTranslated) {
  expect_french(flags_of(confident_cnn(kSide)));
}

TEST(SanityTexts, OfANetworkWhoseSoftmaxSaturatesAreTranslated) {
  const auto weight = uniform_rows(Rng(1), {0}, {7, kSide * kSide})[0] * 1e4;
  const auto flags = flags_of(linear_classifier(weight, torch::zeros({7}), kSide));
  EXPECT_TRUE(std::any_of(flags.begin(), flags.end(),
                          [](const SanityFlag& flag) { return flag.name == "zero-gradients" && flag.raised; }));
  expect_french(flags);
}

TEST(SanityTexts, OfComparedAttacksAreTranslatedWithAndWithoutThem) {
  const Classifier classifier = confident_cnn(kSide);
  Dataset images;
  images.images = test_images(kImages, kSide, 0, 255);
  images.labels = classifier.logits(to_float(images.images)).argmax(1);
  images.classes = classifier.classes();
  for (int64_t i = 0; i < kImages; ++i) images.ids.push_back(std::to_string(i));
  images.splits.assign(kImages, Split::None);
  Trial trial;
  trial.ladder = parse_ladder("8/255", Norm::Linf);
  trial.goal.name = "untargeted";
  trial.settings.set("steps", 2).set("queries", 10);
  for (const auto& attacks : std::vector<std::vector<std::string>>{{"pgd"}, {"fgsm", "pgd", "square", "autoattack"}}) {
    trial.attacks = attacks;
    expect_french(compare_attacks(run_campaign({classifier, images, ""}, trial), trial, 7));
  }
}

}  // namespace

}  // namespace fercli::test
