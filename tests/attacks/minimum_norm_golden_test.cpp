// Minimum-norm attacks against the reference implementations. Norms are compared off the pixel grid, image by image.
#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

/// More than any perturbation can be.
constexpr double kEverything = 4000;

struct Trial {
  const char* attack;
  Norm norm;
  int64_t images = 24;
  int64_t steps = 0, targets = 0;
};

AttackInput first_images(const std::string& set, int64_t count) {
  auto input = reference_input(reference_images(set));
  input.index.resize(static_cast<size_t>(count));
  return {input.x.narrow(0, 0, count), input.goal.narrow(0, count), input.index};
}

AttackResult result_of(const std::string& model, const Trial& trial) {
  AttackSettings settings;
  settings.pixel_grid = false;
  if (trial.steps > 0) settings.set("steps", trial.steps);
  if (trial.targets > 0) settings.set("targets", trial.targets);
  const ThreatModel threat{trial.norm, trial.norm == Norm::Linf ? 1 : kEverything};
  const auto input = first_images(model == "linear" ? "24_soft" : "24", trial.images);
  const auto result =
      make_attack(trial.attack, settings, trial.norm, false)->run(reference_model(model), threat, input, Rng(1));
  EXPECT_TRUE(result.success.all().item<bool>()) << trial.attack;
  return result;
}

torch::Tensor stored(const std::string& model, const std::string& key, int64_t images) {
  const auto values = reference_file("cases_" + model + ".pt").at((model == "linear" ? "linear.soft24." : "") + key);
  return values.narrow(0, 0, std::min(images, values.size(0))).to(torch::kFloat64);
}

/// Ours over theirs, for the images that were classified correctly to begin with.
torch::Tensor ratios(const torch::Tensor& ours, const torch::Tensor& theirs) {
  const auto changed = theirs.gt(0).logical_and(theirs.isfinite());
  return (ours / theirs).masked_select(changed);
}

double median_of(const torch::Tensor& values) {
  return values.median().item<double>();
}

int64_t farther_than(double relative, const torch::Tensor& ratios) {
  return ratios.sub(1).abs().gt(relative).sum().item<int64_t>();
}

/// How many are longer than the reference's by this share: what may be asked where the reference shrinks a perturbation
/// and then cuts it at [0,1], which is not the nearest point (ball.hpp).
int64_t longer_than(double relative, const torch::Tensor& ratios) {
  return ratios.gt(1 + relative).sum().item<int64_t>();
}

class MinimumNormGolden : public testing::TestWithParam<const char*> {
 protected:
  torch::Tensor ratios_of(const Trial& trial, const std::string& key) const {
    return ratios(result_of(GetParam(), trial).distance, stored(GetParam(), key, trial.images));
  }
};

TEST_P(MinimumNormGolden, DeepFoolInL2TakesTheStepsOfTorchattacks) {
  const auto result = result_of(GetParam(), {"deepfool", Norm::L2});
  EXPECT_TRUE(is_close(result.distance, stored(GetParam(), "deepfool_l2.l2", 24), 1e-6, 1e-5));
  const auto x_adv = reference_file(fmt::format("cases_{}.pt", GetParam())).at("deepfool_l2.x_adv");
  EXPECT_TRUE(is_close(result.x_adv.narrow(0, 0, x_adv.size(0)), x_adv, 1e-5));
}

TEST_P(MinimumNormGolden, DeepFoolIsNearerThanWithAConstantAddedToEachStep) {
  EXPECT_LT(ratios_of({"deepfool", Norm::L2}, "deepfool_l2_fb.l2").max().item<double>(), 1);
  EXPECT_LT(ratios_of({"deepfool", Norm::Linf}, "deepfool_linf_fb.linf").max().item<double>(), 1);
}

TEST_P(MinimumNormGolden, FabTowardsTheSecondClassEndsWithinOneInAHundredOfTheReference) {
  for (const auto& [norm, name] : {std::pair{Norm::Linf, "linf"}, std::pair{Norm::L2, "l2"}}) {
    const auto key = fmt::format("fab_t.{}.rank2.norm", name);
    const auto after_100 = ratios_of({"fab-t", norm, 8, 0, 1}, key);
    EXPECT_LE(farther_than(2e-2, after_100), 1) << key << after_100;
    EXPECT_LT(median_of(after_100), 1.001) << key;
    const auto after_5 = ratios_of({"fab-t", norm, 24, 5, 1}, key + "_n5");
    EXPECT_NEAR(median_of(after_5), 1, 2e-3) << key << after_5;
    EXPECT_LT(after_5.max().item<double>(), 1.1) << key;
  }
}

TEST_P(MinimumNormGolden, FmnInLinfAndL2IsTheReferenceWithItsProjectionCorrected) {
  for (const auto& [norm, key] :
       {std::pair{Norm::Linf, "fmn_linf{}.linf"}, std::pair{Norm::L2, "fmn_l2_projected{}.l2"}}) {
    const auto after_10 = ratios_of({"fmn", norm, 24, 10}, fmt::format(key, "_n10"));
    EXPECT_EQ(longer_than(norm == Norm::L2 ? 5e-3 : 1e-3, after_10), 0) << key << after_10;
    EXPECT_LE(farther_than(1e-3, after_10), norm == Norm::L2 ? 6 : 0) << key << after_10;
    const auto after_100 = ratios_of({"fmn", norm, 8}, fmt::format(key, ""));
    EXPECT_EQ(longer_than(1e-2, after_100), 0) << key << after_100;
    EXPECT_LE(farther_than(1e-2, after_100), norm == Norm::L2 ? 1 : 0) << key << after_100;
    EXPECT_NEAR(median_of(after_100), 1, 1e-5) << key;
  }
}

TEST_P(MinimumNormGolden, FmnInL1AndL0IsNoFartherThanTheReference) {
  const auto l1 = ratios_of({"fmn", Norm::L1, 8}, "fmn_l1.l1");
  EXPECT_EQ(farther_than(2e-2, l1), 0) << l1;
  EXPECT_NEAR(median_of(l1), 1, 1e-5);
  EXPECT_LE(median_of(ratios_of({"fmn", Norm::L0, 8}, "fmn_l0.l0")), 1);
}

TEST_P(MinimumNormGolden, PdpgdAndSigmaZeroAreAsNearAsFmnOfTheReference) {
  EXPECT_LE(median_of(ratios_of({"pdpgd", Norm::L1, 8}, "fmn_l1.l1")), 1.01);
  EXPECT_LE(median_of(ratios_of({"sigma-zero", Norm::L0, 8}, "fmn_l0.l0")), 1);
}

TEST_P(MinimumNormGolden, DdnIsTheReference) {
  // Where the reference finds no gradient on a very confident image, it goes in a random direction.
  const auto ratio = ratios_of({"ddn", Norm::L2}, "ddn_l2.l2");
  EXPECT_LE(longer_than(1e-2, ratio), 1) << ratio;
  EXPECT_LE(farther_than(1e-2, ratio), 3) << ratio;
  EXPECT_NEAR(median_of(ratio), 1, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Networks, MinimumNormGolden, testing::Values("std", "at"));

TEST(MinimumNormGoldenTest, FabOverAllClassesIsAsNearAsTheReference) {
  const int64_t few = full() ? 3 : 2, more = full() ? 5 : 3;
  const auto targeted =
      ratios(result_of("std", {"fab-t", Norm::Linf, few}).distance, stored("std", "fab_t.linf.best_norm", few));
  EXPECT_LT(targeted.max().item<double>(), 1.015) << targeted;
  const auto nearest =
      ratios(result_of("at", {"fab", Norm::L2, more}).distance, stored("at", "fab_t.l2.best_norm", more));
  EXPECT_LT(median_of(nearest), 1.01) << nearest;
}

TEST(MinimumNormGoldenTest, CarliniWagnerIsTheReferenceWithoutItsBatch) {
  const auto distance = result_of("std", {"cw", Norm::L2, 2}).distance;
  EXPECT_TRUE(is_close(distance, stored("std", "cw_l2.l2", 2), 0, 1e-2));
  EXPECT_TRUE(is_close(distance, stored("std", "cw_l2_abort.l2", 2), 0, 2e-2));
}

TEST(MinimumNormGoldenTest, ElasticNetIsTheReference) {
  const auto elastic = result_of("std", {"ead-en", Norm::L1, 2});
  EXPECT_TRUE(is_close(elastic.distance, stored("std", "ead_en.l1", 2), 0, 3e-2));
  const auto l2 = row_norms(elastic.x_adv - first_images("24", 2).x, Norm::L2);
  EXPECT_TRUE(is_close(l2, stored("std", "ead_en.l2", 2), 0, 3e-2));
}

struct LinearCase {
  Trial trial;
  const char* key;
  const char* exact;
};

class MinimumNormOnALinearNetwork : public testing::TestWithParam<LinearCase> {};

TEST_P(MinimumNormOnALinearNetwork, IsNeverBelowTheExactDistanceAndAsNearAsTheReference) {
  const auto& [trial, key, exact] = GetParam();
  const auto distance = result_of("linear", trial).distance;
  const auto least = std::get<0>(stored("linear", exact, trial.images).min(1));
  const auto over = ratios(distance, torch::where(distance.gt(0), least, torch::zeros_like(least)));
  EXPECT_GE(over.min().item<double>(), 1 - 1e-5);
  const auto found = stored("linear", key, trial.images);
  const auto theirs = ratios(found, torch::where(found.gt(0), least, torch::zeros_like(least)));
  EXPECT_LE(median_of(over), median_of(theirs) * 1.02) << over << theirs;
}

INSTANTIATE_TEST_SUITE_P(Cases, MinimumNormOnALinearNetwork,
                         testing::Values(LinearCase{{"deepfool", Norm::L2}, "deepfool_l2.l2", "dist_l2_box"},
                                         LinearCase{{"deepfool", Norm::Linf}, "deepfool_linf_fb.linf", "dist_linf_box"},
                                         LinearCase{{"fab", Norm::L2, 24, 20}, "fab_t.l2.best_norm", "dist_l2_box"},
                                         LinearCase{
                                             {"fab", Norm::Linf, 24, 20}, "fab_t.linf.best_norm", "dist_linf_box"},
                                         LinearCase{{"fmn", Norm::L2}, "fmn_l2_projected.l2", "dist_l2_box"},
                                         LinearCase{{"fmn", Norm::Linf}, "fmn_linf.linf", "dist_linf_box"},
                                         LinearCase{{"fmn", Norm::L1}, "fmn_l1.l1", "dist_l1_box"},
                                         LinearCase{{"ddn", Norm::L2}, "ddn_l2.l2", "dist_l2_box"}),
                         [](const auto& info) {
                           std::string name =
                               fmt::format("{}_{}", info.param.trial.attack, to_string(info.param.trial.norm));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace

}  // namespace fercli::test
