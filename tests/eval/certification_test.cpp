// Certificates: never for an image that an attack breaks, of a network that learnt something.
#include "eval/certification.hpp"

#include <ATen/ATen.h>

#include <numeric>

#include "attacks/engine/attack.hpp"
#include "core/error.hpp"
#include "models/formats/export.hpp"
#include "models/networks/bound_pass.hpp"
#include "models/networks/network.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

constexpr int64_t kSide = 16, kImages = 48;

/// Which quarter of the image is brightest, seen through noise.
Dataset quarters(uint64_t seed) {
  Dataset dataset;
  dataset.images = test::test_images(kImages, kSide, 60, 150, seed);
  dataset.labels = torch::arange(kImages).remainder(4);
  dataset.classes = LabelSet({"a", "b", "c", "d"});
  dataset.splits.resize(kImages);
  for (int64_t i = 0; i < kImages; ++i) {
    const int64_t label = i % 4, row = label / 2 * kSide / 2, column = label % 2 * kSide / 2;
    dataset.images[i].slice(1, row, row + kSide / 2).slice(2, column, column + kSide / 2) += 8 + i;
    dataset.ids.push_back(fmt::format("image-{}", i));
  }
  return dataset;
}

/// A small network after some steps down the loss of its interval bounds, on balls that grow to 2/255.
Checkpoint train_network() {
  constexpr int kSteps = 150;
  Checkpoint checkpoint;
  checkpoint.arch = "small-cnn";
  checkpoint.options = {1, kSide, 4, complete_settings("small-cnn", {{"width", 4}, {"dropout", 0}})};
  checkpoint.preprocessing = {1, kSide, {0.5}, {0.25}};
  checkpoint.classes = LabelSet({"a", "b", "c", "d"});
  checkpoint.network = make_network(checkpoint.arch, checkpoint.options, 1);
  const auto data = quarters(1);
  const auto x = to_float(data.images);
  const auto input = [&](const torch::Tensor& images) {
    return checkpoint.preprocessing.input(images, torch::kFloat32);
  };
  checkpoint.network->train();
  for (int step = 0; step < kSteps; ++step) {
    const double eps = 2.0 / 255 * std::min(1.0, 1.5 * step / kSteps);
    checkpoint.network->zero_grad();
    const BoundPass pass(*checkpoint.network, data.labels);
    const auto answers = checkpoint.network->forward(input(torch::cat({x, x - eps, x + eps}).clamp(0, 1)));
    (at::cross_entropy_loss(answers.narrow(0, 0, kImages), data.labels) +
     at::cross_entropy_loss(pass.worst_logits(answers), data.labels))
        .backward();
    double squares = 0;
    for (auto& parameter : checkpoint.network->parameters()) squares += parameter.grad().square().sum().item<double>();
    const torch::NoGradGuard no_grad;
    for (auto& parameter : checkpoint.network->parameters()) {
      parameter -= 0.1 / std::max(1.0, std::sqrt(squares)) * parameter.grad();
    }
  }
  checkpoint.network->eval();
  return checkpoint;
}

const Checkpoint& trained_network() {
  static const Checkpoint checkpoint = train_network();
  return checkpoint;
}

TEST(Certification, NeverHoldsForAnImageThatAutoAttackBreaks) {
  const Checkpoint& checkpoint = trained_network();
  const Classifier classifier(checkpoint.network, checkpoint);
  const LinfBounds bounds(network_graph(checkpoint), checkpoint.preprocessing);
  const Dataset data = quarters(2);
  int64_t certified = 0, broken = 0;
  for (const double eps : {0.1 / 255, 1 / 255.0, 4 / 255.0, 32 / 255.0}) {
    const auto found = certify_linf(bounds, classifier, data, eps);
    AttackSettings settings;
    settings.set("steps", 10).set("queries", 30);
    settings.pixel_grid = false;
    const AttackInput input{to_float(data.images), Goal::untargeted(data.labels), image_keys(data.images)};
    const auto attacked =
        make_attack("autoattack", settings, Norm::Linf, false)->run(classifier, {Norm::Linf, eps}, input, Rng(0));
    for (int64_t i = 0; i < kImages; ++i) {
      const auto& image = found.per_image[static_cast<size_t>(i)];
      const bool success = attacked.float_success[i].item<bool>();
      EXPECT_FALSE(image.certified && success) << image.id << " at eps " << eps;
      EXPECT_FALSE(image.certified && image.answer != image.label);
      EXPECT_EQ(image.certified, image.slack > 0);
      certified += image.certified;
      broken += success;
    }
    EXPECT_LE(found.by_intervals->value, found.certified.value);
    EXPECT_LE(found.certified.value, found.accuracy.value);
  }
  EXPECT_GT(certified, kImages / 8) << "the bounds say nothing";
  EXPECT_GT(broken, kImages / 2) << "the attack says nothing";
}

TEST(Certification, FallsAsTheBallGrows) {
  const Checkpoint& checkpoint = trained_network();
  const Classifier classifier(checkpoint.network, checkpoint);
  const LinfBounds bounds(network_graph(checkpoint), checkpoint.preprocessing);
  const Dataset data = quarters(3);
  double before = 1;
  for (const double eps : {0.05 / 255, 0.5 / 255, 2 / 255.0, 8 / 255.0}) {
    const double share = certify_linf(bounds, classifier, data, eps).certified.value;
    EXPECT_LE(share, before);
    before = share;
  }
  EXPECT_LT(before, 1);
}

TEST(Certification, InL2IsThatOfSmoothing) {
  const Checkpoint& checkpoint = trained_network();
  const Classifier classifier(checkpoint.network, checkpoint);
  const Dataset data = quarters(2);
  SmoothingOptions options;
  options.sigmas = {0.1};
  options.n = 200;
  const auto certificates = certify(classifier, data.images, options).at(0);
  const auto found = certify_l2(classifier, data, 0.05, options);
  int64_t certified = 0;
  for (int64_t i = 0; i < kImages; ++i) {
    const auto& certificate = certificates[static_cast<size_t>(i)];
    const bool holds = certificate.answer == data.labels[i].item<int64_t>() && certificate.radius > 0.05;
    EXPECT_EQ(found.per_image[static_cast<size_t>(i)].certified, holds);
    certified += holds;
  }
  EXPECT_EQ(found.certified.n, kImages);
  EXPECT_NEAR(found.certified.value * kImages, static_cast<double>(certified), 1e-9);
}

/// The answer of the smoothed network.
int64_t answer_of_bands(const Classifier& classifier, const torch::Tensor& x, int64_t band) {
  const auto votes = band_votes(classifier, x, band);
  return std::max_element(votes.begin(), votes.end()) - votes.begin();
}

TEST(Certification, EveryColumnVotesOnce) {
  const Checkpoint& checkpoint = trained_network();
  const Classifier classifier(checkpoint.network, checkpoint);
  const auto x = to_float(quarters(4).images.narrow(0, 0, 1));
  const auto whole = band_votes(classifier, x, kSide);
  EXPECT_EQ(whole[static_cast<size_t>(classifier.logits(x).argmax(1).item<int64_t>())], kSide) << "all see the image";
  const auto narrow = band_votes(classifier, x, 3);
  EXPECT_EQ(std::accumulate(narrow.begin(), narrow.end(), int64_t{0}), kSide);
}

TEST(Certification, ANetworkThatGivesNaNHasNoAnswers) {
  const auto weight = torch::full({4, kSide * kSide}, std::numeric_limits<float>::quiet_NaN());
  const auto classifier = test::linear_classifier(weight, torch::zeros({4}), kSide);
  SmoothingOptions options;
  options.sigmas = {0.1};
  EXPECT_THROW(certify_l2(classifier, quarters(2), 0.05, options), RunError);
  EXPECT_THROW(certify_patch(classifier, quarters(2), {1, 2}), RunError);
}

/// Class 0 where the pixels that are not hidden are bright.
TEST(Certification, NoPatchChangesACertifiedAnswer) {
  auto weight = torch::zeros({2, kSide, kSide});
  weight[0] += 1;
  const auto classifier =
      test::linear_classifier(weight.view({2, -1}), torch::tensor({-0.5F * kSide * kSide, 0.F}), kSide);
  Dataset data;
  data.images = torch::full({2, 1, kSide, kSide}, 200, torch::kUInt8);
  data.images.slice(3, 0, 4).fill_(40);  // four dark columns: 11 of 16 bands see brightness
  data.images[1].slice(2, 0, 3).fill_(40);
  data.labels = torch::zeros({2}, torch::kInt64);
  data.classes = LabelSet({"class0", "class1"});
  data.splits.resize(2);
  data.ids = {"a", "b"};
  constexpr int64_t kBand = 2;
  int64_t certified = 0, changed = 0;
  for (const int64_t patch : {1, 2, 4}) {
    const auto found = certify_patch(classifier, data, {patch, kBand});
    for (int64_t i = 0; i < 2; ++i) {
      const auto& image = found.per_image[static_cast<size_t>(i)];
      certified += image.certified;
      bool moved = false;
      for (int64_t column = 0; column + patch <= kSide; ++column) {
        auto x = to_float(data.images.narrow(0, i, 1)).clone();
        x.narrow(3, column, patch).fill_(0);  // whole columns, which is more than the patch
        moved = moved || answer_of_bands(classifier, x, kBand) != 0;
      }
      EXPECT_FALSE(image.certified && moved) << patch;
      changed += moved;
    }
  }
  EXPECT_GT(certified, 0);
  EXPECT_GT(changed, 0);
}

}  // namespace

}  // namespace fercli
