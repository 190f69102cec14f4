// DeepFool: step after step onto the nearest of the decision boundaries, as seen from where the image is, and
// a little past it, until the goal is reached. Moosavi-Dezfooli, Fawzi and Frossard, arXiv:1511.04599; Linf: their
// sec. 3.3 with p = infinity.
//
// Each step goes 2 % past the boundary and is cut at [0,1], as in torchattacks 3.5.1; the paper stretches the sum of
// the steps at the end. Nothing is added to the distances (foolbox 3.3.4 adds 1e-4 to each, a fortieth of the typical
// Linf result), and all classes are candidates at every step. Targeted, which the paper has not: the boundary between
// the target and its strongest rival.
#include "attacks/engine/minimum_norm.hpp"

namespace fercli::deepfool_attack {

namespace {

/// Steps shorter than this are lost in the rounding of the pixels, a hair before the boundary.
constexpr double kLeastStep = 1e-5;

class DeepFool : public MinimumNormAttack {
 public:
  using MinimumNormAttack::MinimumNormAttack;

 private:
  void approach(Approach& way, torch::Tensor points) const override {
    const Norm norm = way.norm();
    const int64_t steps = values().whole("steps");
    const double overshoot = values().number("overshoot");
    for (int64_t step = 0; step <= steps && way.size() > 0; ++step) {
      const auto sight = way.look(points);
      if (step == steps || way.size() == 0) return;
      const auto plane = nearest_hyperplane(sight.logits, sight.pullback, way.goal(), norm);
      const auto size = dual_norms(plane.normal, norm).clamp_min(1e-12);
      const auto length = (plane.value.abs().to(torch::kFloat64) / size * (1 + overshoot)).clamp_min(kLeastStep);
      const auto direction = norm == Norm::Linf ? plane.normal.sign() : plane.normal / over_pixels(size);
      points = (points - over_pixels(length) * direction).to(torch::kFloat32).clamp(0, 1);
      way.dismiss(sight.reached, points);
    }
  }
};

const Register<AttackEntry> registered{
    {"deepfool",
     "steps onto the nearest linearised decision boundary",
     Access::Gradients,
     {Norm::Linf, Norm::L2},
     true,
     true,
     "2 to 5 x (forward + K - 1 backward)",
     "Moosavi-Dezfooli et al., arXiv:1511.04599",
     [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<DeepFool>(setup); },
     {shared_parameter("steps", "50"),
      Parameter::number("overshoot", "0.02", at_least(0),
                        "how far each step goes past the boundary, as a share of its length"),
      shared_parameter("restarts"), shared_parameter("random-start")}}};

}  // namespace

}  // namespace fercli::deepfool_attack
