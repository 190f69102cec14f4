// APGD-T: Auto-PGD towards one wrong class after another, those with the largest logits of the original first, on the
// targeted difference of logits ratio; any misclassification is a success, so it is untargeted, as in AutoAttack.
// Croce and Hein, arXiv:2003.01690, sec. 4 and eq. 7. Default: min(9, K - 1) classes of 100 steps.
//
// Deviations: the authors' code takes 9 classes whatever K is and stops with fewer than ten. The classes are ranked
// among the wrong ones, so an image that was misclassified from the start (which counts as solved anyway) never heads
// for its true class. With fewer than four classes the loss is the difference of the two logits. The first start begins
// at the original unless `random_start` asks otherwise. To make an image a given class: apgd-dlr or apgd-ce.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "attacks/engine/apgd.hpp"

namespace fercli::apgd_t_attack {

namespace {

constexpr const char* kRanked = "apgd-t ranked";

class ApgdT : public Attack {
 public:
  using Attack::Attack;

 private:
  /// Those of a run for each class.
  int64_t parts(Norm norm, bool, int64_t classes) const override {
    const int64_t targets = std::min(values().whole("targets"), classes - 1);
    return std::max<int64_t>(1, targets) * apgd_parts(norm, values().whole("steps"));
  }

  void add_facts(nlohmann::json& description, const ThreatModel&) const override {
    description["loss"] = "targeted dlr";
  }

  void perturb(Search& search) const override {
    const int64_t each = apgd_parts(search.ball().norm(), values().whole("steps"));
    const int64_t rank = search.part() / each;
    if (search.part() == 0) rank_classes(search);
    if (search.size() == 0 || rank + 1 >= search.classes()) return;
    const auto ranked = search.recalled(kRanked).select(1, rank);
    auto_pgd(search, {values().whole("steps"), values().number("rho"), setup().batch_size,
                      fmt::format("start {}", rank), heading_for(search, ranked), search.part() % each});
  }

  /// The wrong ones, by the logits of the original.
  void rank_classes(Search& search) const {
    auto originals = search.ball().x();
    const auto logits = search.scores(originals);
    if (search.size() == 0) return;
    const auto wrong_ones =
        logits.scatter(1, search.goal().labels().unsqueeze(1), -std::numeric_limits<float>::infinity());
    search.remember(kRanked, wrong_ones.argsort(1, /*descending=*/true));
  }
};

std::vector<Parameter> parameters() {
  auto all = apgd_parameters();
  all.push_back(shared_parameter("targets", "9"));
  all.push_back(confidence_parameter());
  return all;
}

const Register<AttackEntry> registered{
    {"apgd-t",
     "Auto-PGD towards one wrong class after another",
     Access::Gradients,
     {Norm::Linf, Norm::L2, Norm::L1},
     false,
     true,
     "min(9, K - 1) targets x (steps x (forward + backward) + 1 forward), until solved",
     "Croce & Hein, arXiv:2003.01690; L1: arXiv:2103.01208",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<ApgdT>(setup); },
     parameters(),
     Precision::BFloat16}};

}  // namespace

}  // namespace fercli::apgd_t_attack
