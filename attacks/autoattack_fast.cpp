// AutoAttack-fast: an adaptive cascade of Auto-PGD runs for quick looks at robustness. It is not AutoAttack, and a
// figure of it is not one of AutoAttack.
//
// 1. The wrong classes are ranked by how near their boundary looks from the original: the margin over the dual norm of
//    its gradient, which orders targets better than the logits do on networks whose logits are far from linear (Melamed
//    and Yehudai, "MALT powers up adversarial attacks", arXiv:2407.02240).
// 2. short: a run of 20 steps from the original towards one class after another, on the targeted difference of logits
//    ratio of APGD-T (Croce and Hein, arXiv:2003.01690).
// 3. Images are given up on when their margin is more than `patience` times what it fell so far: it would have to fall
//    by that share again before the image broke. This does the work of the online statistics-based discarding of A3
//    (Liu et al., "Practical evaluation of adversarial robustness via adaptive auto attack", CVPR 2022,
//    arXiv:2203.05154), image by image.
// 4. long: runs of 100 steps towards the classes that were nearest at the best image yet, the first from that image,
//    the others from random points; before each the third step again.
//
// What is given up against AutoAttack: FAB-T and Square never run, so a network whose gradients mislead (the flags of
// `fercli eval` look for that) may pass as robust; long runs on images far from the boundary; the run on the
// cross-entropy; restarts; L1; the targeted variant. An image that it breaks is broken; one that it leaves may fall to
// AutoAttack. How often: experiments/autoattack-fast.sh.
#include <fmt/format.h>

#include "attacks/engine/apgd.hpp"
#include "attacks/engine/cascade.hpp"
#include "attacks/engine/hyperplane.hpp"

namespace fercli::autoattack_fast_attack {

namespace {

constexpr int64_t kShort = 0, kLong = 1;  ///< the stages
constexpr const char *kRanked = "autoattack-fast ranked", *kNearest = "autoattack-fast nearest",
                     *kClean = "autoattack-fast clean margin";
constexpr double kTinyNorm = 1e-12;

/// Columns of logits, (M,K), from the largest; that of the true class comes last.
torch::Tensor wrong_classes_by(const torch::Tensor& scores, const Goal& goal) {
  return scores.scatter(1, goal.labels().unsqueeze(1), -std::numeric_limits<float>::infinity())
      .argsort(1, /*descending=*/true);
}

/// (M,K): minus the distance of the boundary to each class, taken to be flat. K - 1 backward passes an image.
torch::Tensor nearness(const Look& look, const Goal& goal, Norm norm) {
  const int64_t classes = look.logits.size(1);
  const auto label = goal.labels().unsqueeze(1), ones = torch::ones({look.logits.size(0), 1});
  auto near = torch::zeros_like(look.logits);
  for (int64_t place = 1; place < classes; ++place) {
    const auto rival = (label + place).remainder(classes);
    const auto slope = look.pullback(torch::zeros_like(look.logits).scatter(1, label, ones).scatter(1, rival, -ones));
    const auto margin = look.logits.gather(1, label) - look.logits.gather(1, rival);
    const auto distance = margin / (dual_norms(slope, norm).unsqueeze(1) + kTinyNorm);
    near = near.scatter(1, rival, -distance.to(torch::kFloat32));
  }
  return near;
}

class AutoAttackFast : public Cascade {
 public:
  using Cascade::Cascade;

  std::vector<std::string> stages() const override { return {"short", "long"}; }

  std::vector<int64_t> stages_of_parts(Norm norm, bool, int64_t classes) const override {
    std::vector<int64_t> stages;
    for (const Leg& leg : legs_of(norm, classes)) stages.push_back(leg.stage);
    return stages;
  }

 private:
  /// A part of one run of Auto-PGD.
  struct Leg {
    int64_t stage, run, part;
  };

  std::vector<Leg> legs_of(Norm norm, int64_t classes) const {
    std::vector<Leg> legs;
    for (const int64_t stage : {kShort, kLong}) {
      const int64_t runs = std::min(values().whole(stage == kShort ? "targets" : "long-runs"), classes - 1);
      for (int64_t run = 0; run < std::max<int64_t>(1, runs); ++run) {
        for (int64_t part = 0; part < apgd_parts(norm, steps_of(stage)); ++part) legs.push_back({stage, run, part});
      }
    }
    return legs;
  }

  int64_t steps_of(int64_t stage) const { return values().whole(stage == kShort ? "steps" : "long-steps"); }

  int64_t parts(Norm norm, bool, int64_t classes) const override {
    return static_cast<int64_t>(legs_of(norm, classes).size());
  }

  void perturb(Search& search) const override {
    const Leg leg = legs_of(search.ball().norm(), search.classes()).at(static_cast<size_t>(search.part()));
    search.enter_stage(leg.stage);
    if (search.part() == 0) rank_classes(search);
    if (leg.stage == kLong && leg.part == 0) begin_long_run(search, leg.run);
    if (search.size() == 0) return;
    // The very first start is the caller's when there is one, the others of this stage are the original.
    if (leg.stage == kShort && search.part() > 0) search.set_start(search.ball().x());
    const auto heading = search.recalled(leg.stage == kShort ? kRanked : kNearest).select(1, leg.run);
    auto_pgd(search, {steps_of(leg.stage), values().number("rho"), setup().batch_size, fmt::format("long {}", leg.run),
                      heading_for(search, heading), leg.part});
  }

  static void rank_classes(Search& search) {
    auto originals = search.ball().x();
    const auto look = search.look(originals);
    if (search.size() == 0) return;
    search.remember(kRanked, wrong_classes_by(nearness(look, search.goal(), search.ball().norm()), search.goal()));
    search.remember(kClean, margin_loss(look.logits, search.goal()).value);
  }

  void begin_long_run(Search& search, int64_t run) const {
    if (search.size() == 0) return;
    const auto margin = margin_loss(search.best_logits(), search.goal()).value;
    const auto fallen = search.recalled(kClean) - margin;
    search.give_up(places_where(margin.gt(fallen * values().number("patience"))));
    if (search.size() == 0) return;
    if (run == 0) search.remember(kNearest, wrong_classes_by(search.best_logits(), search.goal()));
    search.set_start(run == 0 ? search.best() : torch::Tensor());
  }
};

const Register<AttackEntry> registered{
    {"autoattack-fast",
     "short Auto-PGD towards the nearest classes, long on what may still fall; not AutoAttack",
     Access::Gradients,
     {Norm::Linf, Norm::L2},
     false,
     true,
     "K + 2 T x steps passes for an image that survives all (T = min(targets, K - 1)), 200 more for each long run",
     "after Liu et al., arXiv:2203.05154, and Melamed & Yehudai, arXiv:2407.02240",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<AutoAttackFast>(setup); },
     {shared_parameter("steps", "20"), shared_parameter("targets", "9"),
      Parameter::whole("long-steps", "100", between(1, 1e6), "steps of a long run"),
      Parameter::whole("long-runs", "2", between(1, 1e6), "long runs, each towards another class, at most"),
      Parameter::number("patience", "0.25", at_least(0),
                        "an image gets a long run where its margin is at most this share of what it fell so far"),
      find_parameter(apgd_parameters(), "rho"), confidence_parameter()},
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::autoattack_fast_attack
