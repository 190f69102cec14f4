#include "attacks/engine/lattice.hpp"

#include "core/numbers.hpp"

namespace fercli {

namespace {

constexpr float kLevels = 255;
/// Points off the grid that are this much farther than the ball reaches are not worth a try on it.
constexpr double kHopeless = 1.1;
/// The multiples of a perturbation that are tried until one is a success, and how often the last step is halved.
constexpr double kStretches[] = {1, 1.2, 1.5, 2, 3, 5, 10, 20};
constexpr int kStepHalvings = 4;
/// Linf: the boxes tried, from this share of the float distance on, and the steps of sign descent in each.
constexpr double kSmallestBox = 0.9;
constexpr int kBoxes = 4, kSignSteps = 2;
/// Rounds of taking back, and the shares of what the linearised goal allows that are tried in each.
constexpr int kRounds = 8;
constexpr double kShares[] = {1, 0.5, 0.25};

/// The images of one call, with the nearest 8-bit success of each. Perturbations are in levels, float32.
class Settling {
 public:
  Settling(Search& search, const MinimumNormAttack& attack, const torch::Tensor& rows)
      : search_(search),
        attack_(attack),
        rows_(rows),
        ball_(search.ball().select(rows)),
        goal_(search.goal().select(rows)),
        centre_((ball_.x() * kLevels).round()),
        held_(torch::zeros_like(centre_)),
        cost_(torch::full({rows.size(0)}, kInfinity, torch::kFloat64)) {}

  /// The smallest multiple of the direction (levels) whose rounding reaches the goal.
  void stretch(const torch::Tensor& direction) {
    auto low = torch::zeros({count()}), high = torch::full({count()}, kInfinity, torch::kFloat32);
    const auto attempt_at = [&](const torch::Tensor& places, const torch::Tensor& factor) {
      const auto far_enough = attempt(places, (direction.index_select(0, places) * over_pixels(factor)).round());
      high.index_copy_(0, places, torch::where(far_enough, factor, high.index_select(0, places)));
      low.index_copy_(0, places, torch::where(far_enough, low.index_select(0, places), factor));
    };
    for (const double factor : kStretches) {
      const auto places = places_where(high.isinf());
      attempt_at(places, torch::full({places.size(0)}, factor, torch::kFloat32));
    }
    const auto places = places_where(high.isfinite());
    for (int i = 0; i < kStepHalvings; ++i) {
      attempt_at(places, (low.index_select(0, places) + high.index_select(0, places)) / 2);
    }
  }

  /// Linf: box after box of whole levels.
  void fill_boxes(const torch::Tensor& direction) {
    const auto size = direction.abs().flatten(1).amax(1);
    const auto first = (size * kSmallestBox).ceil().clamp_min(1);
    auto left = torch::arange(count());
    for (int box = 0; box < kBoxes && left.size(0) > 0; ++box) {
      const auto half_width = first.index_select(0, left) + box;
      const auto factor = (half_width + 0.499) / size.index_select(0, left).clamp_min(1e-6);
      auto delta = (direction.index_select(0, left) * over_pixels(factor)).round();
      for (int step = 0;; ++step) {
        const auto rest = places_where(attempt(left, delta).logical_not());
        if (rest.size(0) == 0 || step == kSignSteps) break;
        const auto at = left.index_select(0, rest);
        delta.index_copy_(
            0, rest,
            slope(at, delta.index_select(0, rest)).normal.sign().neg() * over_pixels(half_width.index_select(0, rest)));
      }
      left = places_where(cost_.isinf());
    }
  }

  /// Takes back what the nearest successes need least.
  void take_back() {
    auto places = places_where(cost_.isfinite());
    for (int round = 0; round < kRounds && places.size(0) > 0; ++round) {
      const auto before = cost_.index_select(0, places);
      const auto slope = this->slope(places, held_.index_select(0, places));
      for (const double share : kShares) {
        const auto rest = places_where(cost_.index_select(0, places).eq(before));
        const auto at = places.index_select(0, rest);
        const auto held = held_.index_select(0, at);
        attempt(at, held - held.sign() * dispensable(held, slope.normal.index_select(0, rest),
                                                     slope.value.index_select(0, rest).neg() * share));
      }
      places = places.masked_select(cost_.index_select(0, places).lt(before));
    }
  }

 private:
  struct Slope {
    torch::Tensor value, normal;  ///< of the margin, per level
  };

  int64_t count() const { return rows_.size(0); }

  torch::Tensor image(const torch::Tensor& places, const torch::Tensor& delta) const {
    return ball_.rounded((centre_.index_select(0, places) + delta) / kLevels);
  }

  /// (R) bool: this or something nearer is a success already, or the image is; also where it lies outside the ball.
  torch::Tensor attempt(const torch::Tensor& places, const torch::Tensor& delta) {
    const auto x = ball_.x().index_select(0, places);
    const auto shown = image(places, delta);
    const auto cost = attack_.cost(shown - x, ball_.norm());
    const auto worth = cost.lt(cost_.index_select(0, places)).logical_and(ball_.select(places).contains(shown));
    const auto asked = places_where(worth);
    const auto images = shown.index_select(0, asked);
    const auto costs = cost.index_select(0, asked);
    const auto reached = search_.test(rows_.index_select(0, places.index_select(0, asked)), images, costs);
    const auto at = places.index_select(0, asked).masked_select(reached);
    held_.index_copy_(0, at,
                      (images - x.index_select(0, asked)).mul(kLevels).round().index_select(0, places_where(reached)));
    cost_.index_copy_(0, at, costs.masked_select(reached));
    return worth.logical_not().index_copy(0, asked, reached);
  }

  Slope slope(const torch::Tensor& places, const torch::Tensor& delta) {
    const auto look = search_.explore(rows_.index_select(0, places), image(places, delta));
    const auto margin = margin_loss(look.logits, goal_.select(places));
    auto normal = look.pullback(margin.gradient) / kLevels;
    if (ball_.mask().defined()) normal = normal * ball_.mask().index_select(0, places);
    return {margin.value, normal};
  }

  /// How many levels of each pixel to take back, so that the linearised margin grows by `slack` at most: those first
  /// that save most for what they cost.
  torch::Tensor dispensable(const torch::Tensor& held, const torch::Tensor& normal, const torch::Tensor& slack) const {
    const auto size = held.abs().flatten(1);
    const auto loss = (normal * held.sign()).neg().flatten(1);  // of margin, for each level taken back
    torch::Tensor unit = torch::ones_like(size), units = torch::ones_like(size), saving = torch::ones_like(size);
    if (ball_.norm() == Norm::L2) saving = size * 2 - 1;
    if (ball_.norm() == Norm::L1) units = size;
    if (ball_.norm() == Norm::L0) unit = size;
    const auto used = size.gt(0);
    const auto price = (loss * unit / saving).masked_fill(used.logical_not(), kInfinity);
    const auto order = price.argsort(/*stable=*/true, 1, /*descending=*/false);
    const auto in_order = [&](const torch::Tensor& values) {
      return values.masked_fill(used.logical_not(), 0).gather(1, order).to(torch::kFloat64);
    };
    const auto loss_in_order = in_order(loss * unit).clamp_min(0), units_in_order = in_order(units);
    const auto total = loss_in_order * units_in_order;
    const auto left = slack.to(torch::kFloat64).unsqueeze(1) - (total.cumsum(1) - total);
    const auto taken =
        torch::where(loss_in_order.gt(0), (left / loss_in_order.clamp_min(1e-300)).floor(), units_in_order)
            .clamp_min(0)
            .minimum(units_in_order);
    return (torch::zeros_like(size).scatter(1, order, taken.to(torch::kFloat32)) * unit).view(held.sizes());
  }

  Search& search_;
  const MinimumNormAttack& attack_;
  torch::Tensor rows_;
  Ball ball_;
  Goal goal_;
  torch::Tensor centre_;  ///< x in levels
  torch::Tensor held_, cost_;
};

}  // namespace

void settle_on_grid(Search& search, const MinimumNormAttack& attack, const torch::Tensor& all_rows,
                    const torch::Tensor& points, const torch::Tensor& cost) {
  const auto& ball = search.ball();
  const auto eps = ball.eps().index_select(0, all_rows);
  const auto delta = points - ball.x().index_select(0, all_rows);
  const auto promising = row_norms(delta, ball.norm()).le(eps * kHopeless).logical_and(cost.isfinite());
  const auto places = places_where(promising.logical_and(search.solved().index_select(0, all_rows).logical_not()));
  if (places.size(0) == 0) return;
  Settling settling(search, attack, all_rows.index_select(0, places));
  const auto direction = delta.index_select(0, places) * kLevels;
  if (ball.norm() == Norm::Linf) {
    settling.fill_boxes(direction);
    return;
  }
  settling.stretch(direction);
  settling.take_back();
}

}  // namespace fercli
