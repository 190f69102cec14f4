// Fast adaptive boundary attack. At each step the image and its original are projected, inside [0,1], onto the nearest
// linearised decision boundary; the next point lies between the two projections, the nearer to the original the farther
// it has strayed, and a little past them. From a success it goes a tenth of the way back. Croce and Hein,
// arXiv:1907.02044, with alpha_max = 0.1, eta = 1.05, beta = 0.9.
//
// "fab" looks at the boundaries with all other classes (K - 1 backward passes a step). "fab-t" (as in AutoAttack,
// arXiv:2003.01690) heads for one class after another, 1 backward pass a step: min(9, K - 1) of them, in the order of
// the clean logits, each from the start. It is an untargeted attack: any other class counts. With a target, "fab" takes
// the boundary between the target and its strongest rival; only the target counts.
//
// One forward a step, where the paper's code takes two: after a success it linearises anew at the point a tenth back,
// this attack keeps the linearisation that it has, at the success itself, which lies nearer to the boundary.
#include "attacks/engine/minimum_norm.hpp"

namespace fercli::fab_attack {

namespace {

constexpr int64_t kStepsPerPart = 25;  ///< what an interrupted run may lose
constexpr const char *kPoints = "points", *kStart = "before", *kRanked = "fab-t ranked";

/// The boundary with one class: z_y - z_target.
Hyperplane boundary_with(const torch::Tensor& target, const Sight& sight, const Goal& goal) {
  const auto label = goal.labels().unsqueeze(1), rival = target.unsqueeze(1);
  const auto ones = torch::ones({sight.logits.size(0), 1});
  const auto gradient = torch::zeros_like(sight.logits).scatter(1, label, ones).scatter(1, rival, -ones);
  return {(sight.logits.gather(1, label) - sight.logits.gather(1, rival)).squeeze(1), sight.pullback(gradient)};
}

class Fab : public MinimumNormAttack {
 public:
  enum class Heading { NearestClass, EachClass };

  Fab(const AttackSetup& setup, Heading heading)
      : MinimumNormAttack(setup),
        heading_(heading),
        steps_(values().whole("steps")),
        alpha_max_(values().number("alpha-max")),
        eta_(values().number("eta")),
        beta_(values().number("beta")) {}

 private:
  int64_t parts_of_walk() const { return std::max<int64_t>(1, (steps_ + kStepsPerPart - 1) / kStepsPerPart); }

  int64_t walks(int64_t classes) const {
    if (heading_ == Heading::NearestClass) return 1;
    return std::max<int64_t>(1, std::min(values().whole("targets"), classes - 1));
  }

  int64_t approaches(int64_t classes) const override { return walks(classes) * parts_of_walk(); }

  void approach(Approach& way, torch::Tensor points) const override {
    const int64_t rank = way.part() / parts_of_walk(), part = way.part() % parts_of_walk();
    torch::Tensor target;
    if (heading_ == Heading::EachClass) {
      if (rank + 1 >= way.classes()) return;
      if (way.part() == 0) rank_classes(way, points);
      target = way.kept(kRanked).select(1, rank);
      if (part == 0) points = way.kept(kStart);
    }
    if (part > 0) points = way.kept(kPoints);
    walk(way, points, target, part);
    way.keep(kPoints, points);
  }

  /// The wrong ones, by the logits of the original; each walk begins at `points`.
  static void rank_classes(Approach& way, torch::Tensor points) {
    auto x = way.x();
    const auto clean = way.look(x, {&points}).logits;
    way.keep(kRanked, clean.scatter(1, way.goal().labels().unsqueeze(1), -std::numeric_limits<double>::infinity())
                          .argsort(/*stable=*/true, 1, /*descending=*/true));
    way.keep(kStart, points);
  }

  /// One part of a walk from `points`, towards each image's nearest class or its `target`. `points` becomes where the
  /// images that are still open have come to.
  void walk(Approach& way, torch::Tensor& points, torch::Tensor target, int64_t part) const {
    Approach::State kept;
    if (target.defined()) kept.push_back(&target);
    const bool last = part + 1 == parts_of_walk();
    const int64_t end = last ? steps_ + 1 : (part + 1) * kStepsPerPart;
    for (int64_t step = part * kStepsPerPart; step < end && way.size() > 0; ++step) {
      const auto sight = way.look(points, kept);
      if (step == steps_ || way.size() == 0) return;
      points = next_point(way, points, target, sight);
    }
  }

  torch::Tensor next_point(const Approach& way, const torch::Tensor& points, const torch::Tensor& target,
                           const Sight& sight) const {
    const Norm norm = way.norm();
    const auto x = way.x();
    const auto plane = target.defined() ? boundary_with(target, sight, way.goal())
                                        : nearest_hyperplane(sight.logits, sight.pullback, way.goal(), norm);
    const auto missing = plane.value.to(torch::kFloat64).neg();
    const auto delta = points - x;
    const auto back = torch::where(over_pixels(sight.reached), delta * beta_, delta);
    const auto along = [&](const torch::Tensor& step) {
      return row_sums(plane.normal.to(torch::kFloat64) * step.to(torch::kFloat64));
    };
    // Both steps end on <normal, place - points> = missing.
    const auto own = step_onto(x + back, plane.normal, missing - along(back - delta), norm);
    const auto from_original = step_onto(x, plane.normal, missing + along(delta), norm);
    const auto own_size = row_norms(own, norm).clamp_min(1e-8);
    const auto original_size = row_norms(from_original, norm).clamp_min(1e-8);
    const auto alpha = over_pixels((own_size / (own_size + original_size)).clamp_max(alpha_max_).to(torch::kFloat32));
    // Written so that a value that neither step changes stays as it is, to the bit.
    return (x + (back + eta_ * own) * (1 - alpha) + eta_ * from_original * alpha).clamp(0, 1);
  }

  Heading heading_;
  int64_t steps_;
  double alpha_max_, eta_, beta_;
};

std::vector<Parameter> with_common(std::vector<Parameter> own) {
  for (const auto& parameter :
       {shared_parameter("steps", "100"), shared_parameter("restarts"), shared_parameter("random-start"),
        Parameter::number("alpha-max", "0.1", between(0, 1), "most of the way back towards the original"),
        Parameter::number("eta", "1.05", between(1, 2), "how far a step goes past the boundary; 1: onto it"),
        Parameter::number("beta", "0.9", {0, 1, true}, "what is left of the distance after a success")}) {
    own.push_back(parameter);
  }
  return own;
}

std::unique_ptr<Attack> make_fab(const AttackSetup& setup) {
  return std::make_unique<Fab>(setup, Fab::Heading::NearestClass);
}

std::unique_ptr<Attack> make_fab_t(const AttackSetup& setup) {
  return std::make_unique<Fab>(setup, Fab::Heading::EachClass);
}

const Register<AttackEntry> registered{{"fab",
                                        "along the nearest decision boundary, back towards the original",
                                        Access::Gradients,
                                        {Norm::Linf, Norm::L2, Norm::L1},
                                        true,
                                        true,
                                        "100 x (forward + K - 1 backward)",
                                        "Croce & Hein, arXiv:1907.02044",
                                        make_fab,
                                        with_common({})}};

const Register<AttackEntry> registered_t{{"fab-t",
                                          "FAB towards one class after another",
                                          Access::Gradients,
                                          {Norm::Linf, Norm::L2, Norm::L1},
                                          false,
                                          true,
                                          "min(9, K - 1) x 100 x (forward + backward)",
                                          "Croce & Hein, arXiv:2003.01690",
                                          make_fab_t,
                                          with_common({shared_parameter("targets", "9")})}};

}  // namespace

}  // namespace fercli::fab_attack
