// Attacks of a fixed budget against torchattacks and AutoAttack, step by step: off the pixel grid, from the original,
// without random starts, nothing leaving early. tests/golden/reference/README.md says what was run. "Parted" images are
// those where a pixel whose gradient is within rounding of 0 took the other sign.
//
// One deviation shows: where the cross-entropy is below about 1e-3, the references' gradient is the difference of two
// nearly equal float32 numbers, so its direction is wrong by up to a few per cent, and 0 below 1e-7; ours is exact
// (losses.hpp). Such images are compared loosely. With the references' formula put in, those tried agree too (PGD in
// Linf and MI-FGSM were not).
//
// In L2 the references shrink a perturbation to the ball and then cut it at [0,1]; ours ends on the nearest point of
// both (ball.hpp). Images of which a value came to lie at 0 or 1 are compared in one direction: ours must do no worse.
//
// To save time, cases of 100 iterations are run for one of the two networks and on the first images only;
// FERCLI_FULL_REFERENCE=1 runs them all.
#include "attacks/engine/apgd.hpp"

#include "tests/attacks/reference_models.hpp"

namespace fercli::test {

namespace {

constexpr int64_t kSad = 4;
constexpr int64_t kMayPart = 3;
constexpr double kSteadyLoss = 1e-3;

/// The first `n` images.
ReferenceImages first(const ReferenceImages& images, int64_t n) {
  return {images.pixels.narrow(0, 0, n), images.x.narrow(0, 0, n), images.y.narrow(0, 0, n)};
}

Looks watch(const Classifier& model, const std::string& attack, AttackSettings settings, const ThreatModel& threat,
            const AttackInput& input) {
  Looks looks;
  settings.trace = looks.trace();
  make_attack(attack, settings, threat.norm, input.goal.is_targeted())->run(model, threat, input, Rng(1));
  return looks;
}

/// (N) bool: where the two are further apart than absolute + relative |expected|.
torch::Tensor differ(const torch::Tensor& actual, const torch::Tensor& expected, double absolute, double relative) {
  return (actual - expected).abs().gt(absolute + relative * expected.abs());
}

/// (N) bool: the cross-entropy never came near 0 where a gradient was taken.
torch::Tensor steady(const Looks& looks, const Goal& goal) {
  auto lowest = torch::full({goal.size()}, std::numeric_limits<float>::infinity());
  for (size_t i = 0; i + 1 < looks.logits.size(); ++i) {
    lowest = torch::minimum(lowest, cross_entropy(looks.logits[i], goal.labels()));
  }
  return lowest.gt(kSteadyLoss);
}

/// (N) bool: no value was ever shown at 0 or 1, so that nothing was cut.
torch::Tensor uncut(const Looks& looks) {
  auto inside = torch::ones({looks.shown.front().size(0)}, torch::kBool);
  for (const auto& shown : looks.shown) {
    inside = inside.logical_and(shown.gt(0).logical_and(shown.lt(1)).flatten(1).all(1));
  }
  return inside;
}

/// The same for a norm of which the projection differs.
torch::Tensor uncut(const Looks& looks, Norm norm) {
  return norm == Norm::L2 ? uncut(looks) : torch::ones({looks.shown.front().size(0)}, torch::kBool);
}

int64_t count(const torch::Tensor& flags) {
  return flags.sum().item<int64_t>();
}

class ReferenceAttacks : public testing::TestWithParam<const char*> {
 protected:
  torch::Tensor expected(const std::string& key) const {
    return reference_file(fmt::format("cases_{}.pt", GetParam())).at(key);
  }
  AttackInput input(bool targeted) const {
    return targeted ? reference_input(images_, kSad) : reference_input(images_);
  }

  void expect_same_path(const std::string& group, const Looks& looks, const Goal& goal) const {
    const auto &x_adv = looks.shown.back(), &logits = looks.logits.back();
    const auto compared = steady(looks, goal);
    const auto stored = expected(group + ".x_adv");
    const auto parted = equal_share(x_adv.narrow(0, 0, stored.size(0)), stored, 1e-6).lt(0.999);
    EXPECT_LE(count(parted.logical_and(compared.narrow(0, 0, stored.size(0)))), kMayPart) << group;
    const auto ce = cross_entropy(logits, images_.y), ce_stored = expected(group + ".ce");
    EXPECT_LE(count(differ(ce, ce_stored, 1e-4, 1e-4).logical_and(compared)), kMayPart) << group;
    EXPECT_EQ(count(differ(ce, ce_stored, 1e-3, 5e-3).logical_and(compared)), 0) << group;
    const auto clear = margin_loss(logits, Goal::untargeted(images_.y)).value.abs().gt(1e-3);
    const auto flipped = logits.argmax(1).ne(expected(group + ".pred")).logical_and(clear);
    EXPECT_EQ(count(flipped.logical_and(compared)), 0) << group;
  }

  ReferenceImages images_ = reference_images("24");
  Classifier model_ = reference_model(GetParam());
};

TEST_P(ReferenceAttacks, FgsmTakesTheSameStep) {
  for (const bool targeted : {false, true}) {
    const std::string group = targeted ? "fgsm_linf.targeted_sad" : "fgsm_linf.untargeted";
    const auto in = input(targeted);
    const auto looks = watch(model_, "fgsm", reference_settings(), {Norm::Linf, 8 / 255.0}, in);
    const auto compared = steady(looks, in.goal);
    const auto stored = expected(group + ".x_adv");
    const auto share = equal_share(looks.shown.back().narrow(0, 0, stored.size(0)), stored, 1e-6);
    EXPECT_GE(share.masked_select(compared.narrow(0, 0, stored.size(0))).mean().item<double>(), 0.9995) << group;
    const auto apart = differ(cross_entropy(looks.logits.back(), images_.y), expected(group + ".ce"), 1e-4, 1e-4);
    EXPECT_EQ(count(apart.logical_and(compared)), 0) << group;
  }
}

TEST_P(ReferenceAttacks, LinfPgdBimAndMiFgsmTakeTheSameSteps) {
  auto settings = reference_settings();
  settings.set("alpha", 2 / 255.0);
  settings.set("steps", 10);
  for (const auto& [attack, prefix] :
       {std::pair{"pgd", "pgd_linf"}, std::pair{"bim", "pgd_linf"}, std::pair{"mi-fgsm", "mifgsm_linf"}}) {
    for (const bool targeted : {false, true}) {
      const auto in = input(targeted);
      expect_same_path(fmt::format("{}.{}", prefix, targeted ? "targeted_sad" : "untargeted"),
                       watch(model_, attack, settings, {Norm::Linf, 8 / 255.0}, in), in.goal);
    }
  }
}

/// Slope of the cross-entropy with the logits, without the difference of nearly equal numbers that p - 1 is.
torch::Tensor slope_of_ce(const torch::Tensor& logits, const torch::Tensor& labels) {
  const auto others = logits.softmax(1).scatter(1, labels.unsqueeze(1), 0);
  return others.scatter(1, labels.unsqueeze(1), -others.sum(1, true));
}

/// Where a step leads.
struct ReferenceStep {
  torch::Tensor x_adv;
  torch::Tensor shrunk_and_cut;  ///< (N) bool: it left the ball, and shrunk it still left [0,1]
};

/// What torchattacks does in L2, by its own rule: along the gradient of the cross-entropy, then into the ball, then
/// into [0,1]. (To the length of the gradient of the batch's mean it adds 1e-10, which shows where there is next to no
/// loss.)
ReferenceStep l2_step(const Classifier& model, const AttackInput& in, const torch::Tensor& from, double alpha,
                      double eps) {
  const auto along = [](const torch::Tensor& factor) { return factor.to(torch::kFloat32).view({-1, 1, 1, 1}); };
  const auto look = model.linearize(from);
  const auto gradient = look.pullback(slope_of_ce(look.logits, in.goal.labels()));
  const double ascent = in.goal.is_targeted() ? -1 : 1;
  const auto delta = from + gradient * along(ascent * alpha / row_norms(gradient, Norm::L2)) - in.x;
  const auto length = row_norms(delta, Norm::L2);
  const auto uncut = in.x + delta * along((eps / length).clamp_max(1));
  const auto x_adv = uncut.clamp(0, 1);
  return {x_adv, uncut.ne(x_adv).flatten(1).any(1).logical_and(length.gt(eps * (1 + 1e-6)))};
}

// A perturbation that left the ball, and shrunk still leaves [0,1], is cut afterwards by the reference and put on the
// nearest point of both by ours. Every other step must be the same: from where our attack stood, not from where the
// reference would stand, since a difference in the last bit can choose another branch of a ReLU some steps later. That
// the rule is the reference's is shown by its own path, which must end on the stored images.
TEST_P(ReferenceAttacks, L2PgdTakesTheSameSteps) {
  constexpr double kAlpha = 0.2, kEps = 1;
  constexpr int64_t kStepsInside = 5;  // of 0.2: the ball has room for them
  constexpr int64_t kSteps = 10;
  auto settings = reference_settings();
  settings.set("alpha", kAlpha);
  settings.set("steps", kSteps);
  const auto apart = [](const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().flatten(1).amax(1); };
  for (const bool targeted : {false, true}) {
    const std::string group = targeted ? "pgd_l2.targeted_sad" : "pgd_l2.untargeted";
    SCOPED_TRACE(group);
    const auto in = input(targeted);
    const auto looks = watch(model_, "pgd", settings, {Norm::L2, kEps}, in);
    ASSERT_EQ(looks.shown.size(), kSteps + 2);  // the originals are looked at before the first step too
    auto end = in.x;
    for (int64_t step = 0; step < kSteps; ++step) {
      const auto expected_step = l2_step(model_, in, looks.shown[step + 1], kAlpha, kEps);
      const auto same = expected_step.shrunk_and_cut.logical_not();
      if (step < kStepsInside) {
        EXPECT_EQ(count(same), in.x.size(0)) << "step " << step;
      }
      const auto worst = apart(looks.shown[step + 2], expected_step.x_adv).masked_select(same);
      if (worst.numel() > 0) {
        EXPECT_LT(worst.max().item<double>(), 1e-5) << "step " << step;
      }
      end = l2_step(model_, in, end, kAlpha, kEps).x_adv;
    }
    const auto compared = steady(looks, in.goal);
    EXPECT_GE(count(compared), 1);
    const auto stored = expected(group + ".x_adv");
    const auto from_stored = apart(end.narrow(0, 0, stored.size(0)), stored);
    EXPECT_EQ(count(from_stored.gt(1e-3).logical_and(compared.narrow(0, 0, stored.size(0)))), 0) << from_stored;
    const auto ce = cross_entropy(model_.logits(end), images_.y);
    EXPECT_LE(count(differ(ce, expected(group + ".ce"), 1e-3, 1e-3).logical_and(compared)), 1);
    const auto goal_ce = [&](const torch::Tensor& x) { return cross_entropy(model_.logits(x), in.goal.labels()); };
    const auto gain = (goal_ce(looks.shown.back()) - goal_ce(end)) * (targeted ? -1 : 1);
    EXPECT_GE(gain.mean().item<double>(), -0.01) << gain;
  }
}

/// The largest loss over the looks from `begin` to `end`, the image where it was, and whether all were classified
/// correctly.
struct Best {
  torch::Tensor loss, x, always_correct;
};

Best best_of(const Looks& looks, size_t begin, size_t end, const torch::Tensor& y,
             const std::function<torch::Tensor(const torch::Tensor&)>& loss) {
  Best best{loss(looks.logits[begin]), looks.shown[begin], looks.logits[begin].argmax(1).eq(y)};
  for (size_t i = begin + 1; i < end; ++i) {
    const auto value = loss(looks.logits[i]);
    const auto higher = value.gt(best.loss);
    best.loss = torch::where(higher, value, best.loss);
    best.x = torch::where(higher.view({-1, 1, 1, 1}), looks.shown[i], best.x);
    best.always_correct = best.always_correct.logical_and(looks.logits[i].argmax(1).eq(y));
  }
  return best;
}

struct ApgdCase {
  std::string name;  ///< "linf.n100"
  ThreatModel threat;
  int64_t steps;
  const char *ce_on, *dlr_on;  ///< the network it is run for; "": both
};

const std::vector<ApgdCase>& apgd_cases() {
  static const std::vector<ApgdCase> cases{{"linf.n10", {Norm::Linf, 8 / 255.0}, 10, "", ""},
                                           {"linf.n100", {Norm::Linf, 8 / 255.0}, 100, "at", "std"},
                                           {"linf_small.n100", {Norm::Linf, 1 / 255.0}, 100, "std", "at"},
                                           {"l2.n10", {Norm::L2, 1.0}, 10, "", ""},
                                           {"l2.n100", {Norm::L2, 1.0}, 100, "std", "at"},
                                           {"l2_small.n100", {Norm::L2, 0.1}, 100, "at", "std"}};
  return cases;
}

bool concerns(const char* network, const std::string& this_one) {
  return full() || *network == 0 || this_one == network;
}

/// The images that a case of so many steps is run on.
ReferenceImages images_for(int64_t steps) {
  return first(reference_images("24"), full() || steps < 100 ? 24 : 8);
}

TEST_P(ReferenceAttacks, ApgdOnTheCrossEntropyReachesTheSameLoss) {
  for (const auto& item : apgd_cases()) {
    if (!concerns(item.ce_on, GetParam())) continue;
    auto settings = reference_settings();
    settings.set("steps", item.steps);
    const auto images = images_for(item.steps);
    const auto looks = watch(model_, "apgd-ce", settings, item.threat, reference_input(images));
    ASSERT_EQ(looks.shown.size(), static_cast<size_t>(item.steps) + 2);  // the original, and then the start
    const auto best = best_of(looks, 1, looks.shown.size(), images.y,
                              [&](const torch::Tensor& z) { return cross_entropy(z, images.y); });
    const auto group = "apgd_ce." + item.name;
    const auto stored = expected(group + ".loss_best").narrow(0, 0, images.y.size(0));
    const auto free = uncut(looks, item.threat.norm);
    const auto compared = cross_entropy(looks.logits.front(), images.y).gt(kSteadyLoss).logical_and(free);
    EXPECT_GE(count(compared), 2) << group;
    EXPECT_EQ(count(differ(best.loss, stored, 1e-3, 1e-2).logical_and(compared)), 0) << group;
    EXPECT_EQ(count(best.loss.lt(stored * 0.95 - 1e-3)), 0) << group;
    EXPECT_EQ(count(best.loss.gt(stored * 1.05 + 1e-3).logical_and(free)), 0) << group;
    const auto mean = [&](const torch::Tensor& loss) { return loss.masked_select(compared).mean().item<double>(); };
    EXPECT_NEAR(mean(best.loss) / mean(stored), 1, 2e-3) << group;
    const auto acc = expected(group + ".acc").narrow(0, 0, images.y.size(0));
    EXPECT_EQ(count(best.always_correct.ne(acc).logical_and(free)), 0) << group;
    EXPECT_EQ(count(best.always_correct.logical_and(acc.logical_not())), 0) << group;
    if (item.steps > 10) continue;
    EXPECT_LE(count(differ(best.loss, stored, 0, 1e-4).logical_and(free)), kMayPart) << group;
    const auto x_best = expected(group + ".x_best");
    const auto same_loss = differ(best.loss, stored, 0, 1e-5).logical_not().narrow(0, 0, x_best.size(0));
    const auto share = equal_share(best.x.narrow(0, 0, x_best.size(0)), x_best, 1e-5);
    const auto same_path = same_loss.logical_and(free.narrow(0, 0, x_best.size(0)));
    EXPECT_EQ(count(same_path.logical_and(share.lt(0.999))), 0) << group << share;
  }
}

TEST_P(ReferenceAttacks, ApgdOnTheLogitRatioReachesTheSameLossWhereItIsBounded) {
  for (const auto& item : apgd_cases()) {
    if (!concerns(item.dlr_on, GetParam())) continue;
    auto settings = reference_settings();
    settings.set("steps", item.steps);
    const auto images = images_for(item.steps);
    const auto looks = watch(model_, "apgd-dlr", settings, item.threat, reference_input(images));
    const auto best = best_of(looks, 1, looks.shown.size(), images.y, [&](const torch::Tensor& z) {
      return dlr_loss(z, Goal::untargeted(images.y)).value.neg();
    });
    const auto group = "apgd_dlr." + item.name;
    const auto stored = expected(group + ".loss_best").narrow(0, 0, images.y.size(0));
    const auto apart = item.steps == 10 ? differ(best.loss, stored, 1e-5, 1e-3) : differ(best.loss, stored, 1e-2, 0);
    const auto free = uncut(looks, item.threat.norm);
    EXPECT_EQ(count(apart.logical_and(stored.le(1)).logical_and(free)), 0)
        << group << torch::stack({best.loss, stored}, 1);
    const auto acc = expected(group + ".acc").narrow(0, 0, images.y.size(0));
    EXPECT_EQ(count(best.always_correct.ne(acc).logical_and(free)), 0) << group;
    EXPECT_EQ(count(best.always_correct.logical_and(acc.logical_not())), 0) << group;
  }
}

TEST_P(ReferenceAttacks, ApgdTHeadsForTheSameClassesAndGetsAsFar) {
  const int64_t steps = 100, ranks = 6;
  auto settings = reference_settings();
  settings.set("steps", steps);
  const auto images = first(images_, full() ? 24 : 4);
  const bool at = std::string(GetParam()) == "at";
  const ThreatModel linf{Norm::Linf, 8 / 255.0}, l2{Norm::L2, 1.0};
  std::vector<ThreatModel> threats{at ? linf : l2};
  if (full()) threats.push_back(at ? l2 : linf);
  for (const auto& threat : threats) {
    const auto looks = watch(model_, "apgd-t", settings, threat, reference_input(images));
    ASSERT_EQ(looks.shown.size(), static_cast<size_t>(2 + ranks * (steps + 1)));
    const auto correct = looks.logits.front().argmax(1).eq(images.y);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const auto group = fmt::format("apgd_t.{}.rank{}", threat.norm == Norm::L2 ? "l2" : "linf", rank + 2);
      const auto target = expected(group + ".target").narrow(0, 0, images.y.size(0));
      const size_t begin = static_cast<size_t>(2 + rank * (steps + 1));
      const auto best =
          best_of(looks, begin, begin + static_cast<size_t>(steps) + 1, images.y,
                  [&](const torch::Tensor& z) { return targeted_dlr_loss(z, images.y, target).value.neg(); });
      const auto stored = expected(group + ".loss_best").narrow(0, 0, images.y.size(0));
      const auto free = uncut(looks, threat.norm);
      const auto compared = stored.le(0.5).logical_and(correct).logical_and(free);
      EXPECT_EQ(count(differ(best.loss, stored, 1e-2, 0).logical_and(compared)), 0)
          << group << torch::stack({best.loss, stored}, 1);
      const auto acc = expected(group + ".acc").narrow(0, 0, images.y.size(0));
      EXPECT_LE(count(best.always_correct.ne(acc).logical_and(correct).logical_and(free)), full() ? 1 : 0) << group;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ReferenceAttacks, testing::Values("std", "at"),
                         [](const auto& info) { return std::string(info.param); });

TEST(ReferenceApgdStart, LiesWhereTheReferenceStarts) {
  const auto model = reference_model("std");
  const auto images = reference_images("24");
  auto settings = reference_settings();
  settings.set("random-start", true);
  settings.set("steps", 1);
  // In the middle of the range nothing is cut, so the norm shows.
  auto input = reference_input(images);
  input.x = torch::full_like(input.x, 0.5f);
  const auto linf = watch(model, "apgd-ce", settings, {Norm::Linf, 8 / 255.0}, input).shown[1] - input.x;
  EXPECT_TRUE(is_close(row_norms(linf, Norm::Linf), torch::full({24}, 8 / 255.0, torch::kFloat64), 1e-6));
  EXPECT_NEAR(linf.abs().mean().item<double>(), 4 / 255.0, 0.1 / 255);  // uniform
  const auto l2 = watch(model, "apgd-ce", settings, {Norm::L2, 1.0}, input).shown[1] - input.x;
  EXPECT_TRUE(is_close(row_norms(l2, Norm::L2), torch::ones({24}, torch::kFloat64), 1e-5));
  // The stored starts have the same norms before the cut at [0,1].
  const auto x8 = images.x.narrow(0, 0, 8);
  const auto stored = reference_file("cases_std.pt");
  EXPECT_LE(row_norms(stored.at("start.apgd.linf.seed0") - x8, Norm::Linf).max().item<double>(), 8 / 255.0 + 1e-6);
  EXPECT_LE(row_norms(stored.at("start.apgd.l2.seed0") - x8, Norm::L2).max().item<double>(), 1 + 1e-5);
}

TEST(ReferenceApgdCheckpoints, AreThoseOfThePaper) {
  EXPECT_EQ(apgd_checkpoints(100), (std::vector<int64_t>{22, 41, 57, 70, 80, 87, 93, 99}));
  EXPECT_EQ(apgd_checkpoints(10), (std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

class ReferenceLinear : public testing::Test {
 protected:
  torch::Tensor expected(const std::string& key) const { return reference_file("cases_linear.pt").at("linear." + key); }
  Classifier model_ = reference_model("linear");
};

TEST_F(ReferenceLinear, FgsmAndPgdEndAtTheSamePoints) {
  const auto images = reference_images("24_soft");
  auto settings = reference_settings();
  settings.set("steps", 10);
  const auto expect = [&](const std::string& group, const Looks& looks, double tolerance) {
    const auto& stored = expected("soft24." + group + ".x_adv");
    EXPECT_TRUE(is_close(looks.shown.back().narrow(0, 0, stored.size(0)), stored, tolerance)) << group;
    EXPECT_TRUE(is_close(cross_entropy(looks.logits.back(), images.y), expected("soft24." + group + ".ce"), 1e-4, 1e-4))
        << group;
  };
  const ThreatModel linf{Norm::Linf, 8 / 255.0};
  expect("fgsm_linf.untargeted", watch(model_, "fgsm", settings, linf, reference_input(images)), 1e-6);
  settings.set("alpha", 2 / 255.0);
  expect("pgd_linf.untargeted", watch(model_, "pgd", settings, linf, reference_input(images)), 1e-6);
  settings.set("alpha", 0.2);
  expect("pgd_l2.untargeted", watch(model_, "pgd", settings, {Norm::L2, 1.0}, reference_input(images)), 1e-5);
}

TEST_F(ReferenceLinear, ApgdTFindsExactlyTheImagesThatCanBeBroken) {
  const int64_t count_of_images = full() ? 200 : 60;
  const auto all = reference_images("200_soft");
  const ReferenceImages images{all.pixels.narrow(0, 0, count_of_images), all.x.narrow(0, 0, count_of_images),
                               all.y.narrow(0, 0, count_of_images)};
  AttackSettings settings;
  settings.pixel_grid = false;
  settings.set("steps", full() ? 100 : 20);
  std::vector<std::pair<std::string, ThreatModel>> cases{{"linf_0.0027451", {Norm::Linf, 0.7 / 255}},
                                                         {"l2_0.085", {Norm::L2, 0.085}}};
  if (full()) {
    cases.insert(cases.end(), {{"linf_0.00156863", {Norm::Linf, 0.4 / 255}},
                               {"linf_0.0054902", {Norm::Linf, 1.4 / 255}},
                               {"l2_0.05", {Norm::L2, 0.05}},
                               {"l2_0.165", {Norm::L2, 0.165}}});
  }
  for (const auto& [key, threat] : cases) {
    const auto attack = make_attack("apgd-t", settings, threat.norm, false);
    const auto result = attack->run(model_, threat, reference_input(images), Rng(1));
    const auto robust = expected("soft200.robust." + key).narrow(0, 0, count_of_images);
    EXPECT_EQ(count(result.success.eq(robust)), 0) << key;
    EXPECT_GT(count(robust), 0) << key;
    EXPECT_LT(count(robust), count_of_images) << key;
  }
}

}  // namespace

}  // namespace fercli::test
