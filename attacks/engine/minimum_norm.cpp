#include "attacks/engine/minimum_norm.hpp"

#include "attacks/engine/lattice.hpp"
#include "core/numbers.hpp"

namespace fercli {

namespace {

constexpr const char *kBest = "best", *kCost = "cost of the best";

/// Where a start begins: at the original, or at the point given or drawn, pulled back to half the radius that is still
/// of interest. A given point may itself be the nearest success.
torch::Tensor beginnings(Search& search, const MinimumNormAttack& attack) {
  const Ball& ball = search.ball();
  const auto start = search.start();
  const auto moved = places_where(start.ne(ball.x()).flatten(1).any(1));
  if (moved.size(0) == 0) return ball.x();
  const auto shown = ball.exportable(start).index_select(0, moved);
  search.test(moved, shown, attack.cost(shown - ball.x().index_select(0, moved), ball.norm()));
  const auto radius = torch::minimum(row_norms(start - ball.x(), ball.norm()), ball.eps()) / 2;
  const auto least = ball.norm() == Norm::L0 ? 1.0 : 0.0;
  const auto nearest = attack.nearest() ? search.nearest_success() / 2 : radius;
  return Ball(ball.norm(), ball.x(), torch::minimum(radius, nearest).clamp_min(least), false, ball.mask())
      .project(start);
}

}  // namespace

Approach::Approach(Search& search, const torch::Tensor& rows, const MinimumNormAttack& attack)
    : search_(search),
      attack_(attack),
      rows_(rows),
      x_(search.ball().x().index_select(0, rows)),
      ball_(search.ball().select(rows)),
      goal_(search.goal().select(rows)),
      open_(torch::arange(rows.size(0))),
      best_(x_.clone()),
      cost_(torch::full({rows.size(0)}, kInfinity, torch::kFloat64)) {}

torch::Tensor Approach::mask() const {
  return ball_.mask().defined() ? ball_.mask().index_select(0, open_) : torch::Tensor();
}

torch::Tensor Approach::confined(const torch::Tensor& points) const {
  return ball_.mask().defined() ? torch::where(mask().gt(0), points, x()) : points;
}

Ball Approach::ball(const torch::Tensor& radius) const {
  return Ball(norm(), x(), radius, /*pixel_grid=*/false, mask());
}

Sight Approach::look(torch::Tensor& points, const State& state) {
  const auto look = search_.explore(rows_.index_select(0, open_), points);
  const auto reached = offer(points, goal().reached(look.logits));
  const auto solved = search_.solved().index_select(0, rows_.index_select(0, open_));
  const auto keep = places_where(solved.logical_not());
  const int64_t count = size();
  dismiss(solved, points, state);
  const auto pullback = [back = look.pullback, keep, mask = mask(), count](const torch::Tensor& dlogits) {
    if (keep.size(0) == count) return mask.defined() ? back(dlogits) * mask : back(dlogits);
    const auto every = torch::zeros({count, dlogits.size(1)}).index_copy(0, keep, dlogits);
    const auto gradient = back(every).index_select(0, keep);
    return mask.defined() ? gradient * mask : gradient;
  };
  return {look.logits.index_select(0, keep), reached.index_select(0, keep), pullback};
}

torch::Tensor Approach::offer(const torch::Tensor& points, const torch::Tensor& claimed) {
  if (!claimed.any().item<bool>()) return claimed;
  const auto cost = attack_.cost(points - x(), norm());
  auto of_interest = cost.lt(this->cost());
  // A success whose neighbours on the grid all failed does not end the search of a first success inside the ball.
  if (!attack_.nearest()) of_interest = of_interest.logical_or(ball_.select(open_).contains(points));
  const auto in_range = points.ge(0).logical_and(points.le(1)).flatten(1).all(1);
  const auto asked = places_where(claimed.logical_and(of_interest).logical_and(in_range));
  if (asked.size(0) == 0) return claimed;
  const auto places = open_.index_select(0, asked);
  const auto shown = points.index_select(0, asked);
  const auto confirmed = search_.test(rows_.index_select(0, places), shown, cost.index_select(0, asked));
  const auto better = places_where(confirmed.logical_and(cost.lt(this->cost()).index_select(0, asked)));
  best_.index_copy_(0, places.index_select(0, better), shown.index_select(0, better));
  cost_.index_copy_(0, places.index_select(0, better), cost.index_select(0, asked).index_select(0, better));
  if (!attack_.nearest() && ball_.pixel_grid()) snap(places.masked_select(confirmed), shown, confirmed);
  return claimed.index_copy(0, asked, confirmed);
}

/// Ends the search of images whose success (the rows of `shown` where `confirmed`) holds on the pixel grid too: at the
/// nearest levels, or as far out in that direction as the ball reaches.
void Approach::snap(const torch::Tensor& places, const torch::Tensor& shown, const torch::Tensor& confirmed) {
  const Ball ball = ball_.select(places);
  const auto points = shown.index_select(0, places_where(confirmed));
  const auto delta = points - ball.x();
  const auto stretch = (ball.eps() / row_norms(delta, norm()).clamp_min(1e-12)).clamp_min(1).to(torch::kFloat32);
  const auto inside = ball.contains(points);
  for (const auto& point : {points, ball.project(ball.x() + delta * over_pixels(stretch))}) {
    const auto rows = rows_.index_select(0, places);
    const auto left = places_where(inside.logical_and(search_.solved().index_select(0, rows).logical_not()));
    const auto image = ball.exportable(point).index_select(0, left);
    search_.test(rows.index_select(0, left), image, attack_.cost(image - ball.x().index_select(0, left), norm()));
  }
}

void Approach::keep(const std::string& name, const torch::Tensor& values) {
  search_.remember(name, rows_.index_select(0, open_), values);
}

torch::Tensor Approach::kept(const std::string& name) const {
  return search_.recalled(name).index_select(0, rows_.index_select(0, open_));
}

void Approach::keep_best() {
  search_.remember(kBest, rows_, best_);
  search_.remember(kCost, rows_, cost_);
}

void Approach::recall_best() {
  best_ = search_.recalled(kBest).index_select(0, rows_);
  cost_ = search_.recalled(kCost).index_select(0, rows_);
}

void Approach::dismiss(const torch::Tensor& finished, torch::Tensor& points, const State& state) {
  const auto keep = places_where(finished.logical_not());
  if (keep.size(0) == size()) return;
  open_ = open_.index_select(0, keep);
  points = points.index_select(0, keep);
  for (torch::Tensor* tensor : state) *tensor = tensor->index_select(0, keep);
}

void MinimumNormAttack::perturb(Search& search) const {
  const bool first = search.part() == 0, last = search.part() + 1 == approaches(search.classes());
  const auto start = first ? beginnings(search, *this) : search.ball().x();
  for (int64_t begin = 0; begin < search.size(); begin += setup_.batch_size) {
    const auto block = torch::arange(begin, std::min(begin + setup_.batch_size, search.size()));
    const auto rows = block.masked_select(search.solved().index_select(0, block).logical_not());
    if (rows.size(0) == 0) continue;
    Approach way(search, rows, *this);
    if (!first) way.recall_best();
    approach(way, start.index_select(0, rows));
    if (!last) {
      way.keep_best();
      continue;
    }
    if (search.ball().pixel_grid()) settle_on_grid(search, *this, rows, way.all_best(), way.all_cost());
    // What was found outside the ball leaves a trace of how near the goal is inside it.
    const Ball ball = search.ball().select(rows);
    const auto inside = ball.exportable(ball.project(way.all_best()));
    search.test(rows, inside, cost(inside - ball.x(), ball.norm()));
  }
  search.leave_solved();
}

}  // namespace fercli
