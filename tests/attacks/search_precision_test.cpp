// In which arithmetic attacks search: what bfloat16 may be used for, and what it may not change.
#include <nlohmann/json.hpp>

#include "attacks/engine/minimal_eps.hpp"
#include "tests/attacks/linear_network.hpp"
#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSide = 16, kImages = 4;
/// AutoAttack and the reference agree on all images but these: a verdict within rounding of the boundary.
constexpr int64_t kMayPart = 1;

std::vector<AttackEntry> entries_with(Precision precision) {
  std::vector<AttackEntry> entries;
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    if (entry.search_precision == precision) entries.push_back(entry);
  }
  return entries;
}

AttackResult run_in(Precision precision, const AttackEntry& entry, Norm norm, double eps, AttackSettings settings) {
  const auto classifier = confident_cnn(kSide, precision);
  const auto input = make_input(classifier, test_images(kImages, kSide, 0, 255), !entry.untargeted);
  return make_attack(entry.name, settings, norm, !entry.untargeted)->run(classifier, {norm, eps}, input, Rng(1));
}

TEST(SearchPrecision, AttacksThatNeedFloat32FindTheSameWhateverPrecisionIsAskedFor) {
  const auto entries = entries_with(Precision::Float32);
  ASSERT_FALSE(entries.empty());
  AttackSettings settings;
  settings.set("steps", 4);
  settings.set("queries", 30);
  for (const auto& entry : entries) {
    for (const Norm norm : entry.norms) {
      const double eps = norm == Norm::Linf ? 0.5 : 1000;
      const auto exact = run_in(Precision::Float32, entry, norm, eps, settings);
      const auto asked = run_in(Precision::BFloat16, entry, norm, eps, settings);
      EXPECT_TRUE(exact.x_adv.equal(asked.x_adv)) << entry.name << " " << to_string(norm);
      EXPECT_TRUE(exact.distance.equal(asked.distance)) << entry.name << " " << to_string(norm);
    }
  }
}

TEST(SearchPrecision, EveryAttackThatSearchesTheNearestSuccessDoesSoInFloat32) {
  for (const auto& entry : Registry<AttackEntry>::instance().all()) {
    if (make_attack(entry.name, {}, entry.norms.front(), !entry.untargeted)->minimum_norm()) {
      EXPECT_EQ(entry.search_precision, Precision::Float32) << entry.name;
    }
  }
}

TEST(SearchPrecision, TheSmallestEpsOfAnAttackOfAFixedBudgetIsSearchedInFloat32) {
  AttackSettings settings;
  settings.set("steps", 4);
  const auto search = [&](Precision precision) {
    const auto classifier = confident_cnn(kSide, precision);
    return minimal_eps(classifier, *make_attack("pgd", settings, Norm::Linf, false), Norm::Linf,
                       make_input(classifier, test_images(kImages, kSide, 0, 255), false), Rng(1));
  };
  const auto exact = search(Precision::Float32), asked = search(Precision::BFloat16);
  EXPECT_TRUE(exact.x_adv.equal(asked.x_adv));
  EXPECT_TRUE(exact.eps.equal(asked.eps));
  EXPECT_TRUE(exact.logits.equal(asked.logits));
  EXPECT_TRUE(exact.eps.isfinite().any().item<bool>());
}

TEST(SearchPrecision, AttacksOfAFixedBudgetThatMayUseBfloat16DoUseIt) {
  const auto entries = entries_with(Precision::BFloat16);
  ASSERT_FALSE(entries.empty());
  for (const auto& entry : entries) {
    std::vector<torch::Tensor> logits[2];
    for (const Precision precision : {Precision::Float32, Precision::BFloat16}) {
      AttackSettings settings;
      settings.set("steps", 2);
      settings.set("queries", 20);
      settings.trace = [&](const torch::Tensor&, const torch::Tensor&, const torch::Tensor& z) {
        logits[precision == Precision::BFloat16].push_back(z.clone());
      };
      run_in(precision, entry, entry.norms.front(), 1 / 255.0, settings);
    }
    EXPECT_FALSE(logits[0].front().equal(logits[1].front())) << entry.name;
  }
}

TEST(SearchPrecision, TheDescriptionSaysTheArithmeticOfTheSearchAndOfTheVerdict) {
  const ThreatModel threat{Norm::Linf, 8 / 255.0};
  const auto described = [&](const std::string& name, Precision precision) {
    return make_attack(name, {}, Norm::Linf, false)->describe_on(precision, threat);
  };
  EXPECT_EQ(described("pgd", Precision::BFloat16)["search_precision"], "bf16");
  EXPECT_EQ(described("pgd", Precision::BFloat16)["verdict_precision"], "fp32");
  EXPECT_EQ(described("pgd", Precision::Float32)["search_precision"], "fp32");
  EXPECT_EQ(described("fab", Precision::BFloat16)["search_precision"], "fp32");
  const auto cascade = described("autoattack", Precision::BFloat16);
  EXPECT_EQ(cascade["search_precision_by_stage"]["apgd-ce"], "bf16");
  EXPECT_EQ(cascade["search_precision_by_stage"]["fab-t"], "fp32");
  EXPECT_FALSE(described("autoattack", Precision::Float32).contains("search_precision_by_stage"));
}

TEST(SearchPrecision, FabInsideAutoAttackSearchesInFloat32) {
  // In a cascade of which only FAB-T sees the images: the logits it is shown are those of its own run.
  const auto model = reference_model("at", Precision::BFloat16);
  const auto exact = reference_model("at");
  const auto images = reference_images("24");
  auto input = reference_input(images);
  input.index.resize(2);
  input = {input.x.narrow(0, 0, 2), input.goal.narrow(0, 2), input.index};
  AttackSettings settings;
  settings.set("steps", 3);
  settings.set("queries", 2);
  settings.set("targets", 1);
  int64_t in_float32 = 0, in_bfloat16 = 0;
  settings.trace = [&](const torch::Tensor&, const torch::Tensor& shown, const torch::Tensor& logits) {
    (exact.linearize(shown).logits.equal(logits) ? in_float32 : in_bfloat16) += 1;
  };
  make_attack("autoattack", settings, Norm::Linf, false)->run(model, {Norm::Linf, 1 / 255.0}, input, Rng(1));
  EXPECT_GE(in_float32, 3);
  EXPECT_GE(in_bfloat16, 6);
}

/// The fixed-budget attacks of the reference with bfloat16 asked for: the images that stay robust are the same.
class ReferenceInBfloat16 : public testing::TestWithParam<const char*> {};

TEST_P(ReferenceInBfloat16, AutoPgdBreaksTheImagesOfTheReference) {
  const auto model = reference_model(GetParam(), Precision::BFloat16);
  const auto input = reference_input(reference_images("24"));
  for (const auto& [attack, group] : {std::pair{"apgd-ce", "apgd_ce"}, std::pair{"apgd-dlr", "apgd_dlr"}}) {
    for (const auto& [norm, eps, name] : {std::tuple{Norm::Linf, 8 / 255.0, "linf"}, std::tuple{Norm::L2, 1.0, "l2"}}) {
      AttackSettings settings;
      settings.pixel_grid = false;
      settings.set("steps", 10);
      const auto found = make_attack(attack, settings, norm, false)->run(model, {norm, eps}, input, Rng(1));
      const auto stands =
          reference_file(fmt::format("cases_{}.pt", GetParam())).at(fmt::format("{}.{}.n10.acc", group, name));
      EXPECT_LE(found.success.eq(stands).sum().item<int64_t>(), kMayPart) << group << " " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceInBfloat16, testing::Values("std", "at"));

}  // namespace

}  // namespace fercli::test
