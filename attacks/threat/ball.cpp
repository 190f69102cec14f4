#include "attacks/threat/ball.hpp"

#include "core/error.hpp"
#include "data/dataset.hpp"

namespace fercli {

namespace {

/// Slack, in units of 1/255, for the rounding of float32 pixels.
constexpr double kSlack = 1e-4;
/// As in `within` for 8-bit images: what the last bits of a double may be wrong by.
constexpr double kRounding = 1e-12;
/// The share of the values that one step in L1 moves.
constexpr double kSparse = 0.01;
/// Halvings of the interval of the threshold in L1; its exact value is then computed from the values it leaves.
constexpr int kHalvings = 30;
/// Rounds in which the factor of a cut perturbation is found; each cuts at least one value more, few take ten.
constexpr int kFactorRounds = 100;
constexpr double kNoFactor = 1e300;

torch::Tensor per_row(const torch::Tensor& values, const torch::Tensor& like) {
  return values.view({-1, 1, 1, 1}).to(like.scalar_type());
}

/// Whole pixel values 0…255 back to [0,1], with the very bits that reading the file gives.
torch::Tensor from_levels(const torch::Tensor& levels) {
  return to_float(levels.to(torch::kUInt8));
}

}  // namespace

bool fits_a_level(Norm norm, double eps) {
  return in_levels(norm, eps).most >= 1;
}

Ball::Ball(Norm norm, torch::Tensor x, torch::Tensor eps, bool pixel_grid, torch::Tensor mask)
    : norm_(norm), x_(std::move(x)), eps_(std::move(eps)), pixel_grid_(pixel_grid), mask_(std::move(mask)) {
  if (pixel_grid_ && x_.numel() > 0 && (x_ * 255).sub((x_ * 255).round()).abs().max().item<float>() > kSlack) {
    throw UserError("an attack on the pixel grid needs 8-bit images: pixels must be multiples of 1/255");
  }
  if (mask_.defined() && mask_.sizes() != x_.sizes()) throw UserError("attack: the mask must be shaped like x");
}

torch::Tensor Ball::project(const torch::Tensor& x_adv) const {
  if (size() == 0) return x_adv;
  const auto point = mask_.defined() ? torch::where(mask_.gt(0), x_adv, x_) : x_adv;
  if (norm_ == Norm::Linf) {
    const auto radius = per_row(eps_, x_);
    return torch::minimum(torch::maximum(point, x_ - radius), x_ + radius).clamp(0, 1);
  }
  const auto delta = point - x_;
  if (norm_ == Norm::L1) {
    // Rounded towards x, since the roundings of many pixels would add up to more than eps.
    const auto nearest = into_l1(delta);
    const auto sum = (x_ + nearest).clamp(0, 1);
    return torch::where((sum - x_).abs().gt(nearest.abs()), sum.nextafter(x_), sum);
  }
  if (norm_ == Norm::L0) {
    const auto allowed = point.clamp(0, 1) - x_;
    const auto nearer_by = (allowed * (delta * 2 - allowed)).to(torch::kFloat32);  // in squared distance
    return torch::where(largest_values(nearer_by, eps_.floor()), point, x_).clamp(0, 1);
  }
  return (x_ + on_sphere(delta, 1)).clamp(0, 1);
}

torch::Tensor Ball::stretch(const torch::Tensor& x_adv) const {
  return (x_ + on_sphere(masked(x_adv - x_), kNoFactor)).clamp(0, 1);
}

/// clamp(factor delta, -x, 1 - x) with the factor, `most` at most, that gives it the length eps. Without the cut the
/// factor would be too small; with the values that it cuts taken as they then are, the next is larger, and never too
/// large. Once no more values are cut, it is exact.
torch::Tensor Ball::on_sphere(const torch::Tensor& delta, double most) const {
  const auto size = delta.abs().to(torch::kFloat64);
  const auto room = torch::where(delta.gt(0), 1 - x_, x_).to(torch::kFloat64);
  const auto squares = size.square(), cut_squares = room.square();
  auto factor = (eps_ / row_sums(squares).sqrt().clamp_min(1 / kNoFactor)).clamp_max(most);
  for (int round = 0; round < kFactorRounds; ++round) {
    const auto cut = (size * factor.view({-1, 1, 1, 1})).gt(room);
    const auto free = row_sums(squares.masked_fill(cut, 0));
    const auto left = (eps_.square() - row_sums(cut_squares.masked_fill(cut.logical_not(), 0))).clamp_min(0);
    const auto next = torch::where(free.gt(0), (left / free).sqrt(), torch::full_like(free, kNoFactor));
    const auto larger = next.clamp_max(most).maximum(factor);
    if (larger.equal(factor)) break;
    factor = larger;
  }
  return (delta.sign() * torch::minimum(size * factor.view({-1, 1, 1, 1}), room)).to(torch::kFloat32);
}

torch::Tensor Ball::steepest(const torch::Tensor& raw_gradient) const {
  if (size() == 0) return x_;
  const auto gradient = masked(raw_gradient.nan_to_num(0, 0, 0));
  if (norm_ == Norm::Linf) return project(x_ - gradient.sign() * per_row(eps_, gradient));
  if (norm_ == Norm::L2) return stretch(x_ - gradient / per_row(row_norms(gradient, Norm::L2).clamp_min(1e-30), x_));
  const auto room = torch::where(gradient.gt(0), x_, 1 - x_);
  return project(x_ - gradient.sign() * spent_on_best(gradient.abs(), room, eps_));
}

/// (N,C,H,W) float32: how far each value goes when those of the most `worth` go first, each as far as `most` (those of
/// no worth not at all), until `total` ((N) float64) is spent.
torch::Tensor Ball::spent_on_best(const torch::Tensor& worth, const torch::Tensor& most,
                                  const torch::Tensor& total) const {
  const auto order = worth.flatten(1).argsort(/*stable=*/true, 1, /*descending=*/true);
  const auto usable = most.to(torch::kFloat64).masked_fill(worth.le(0), 0).flatten(1).gather(1, order);
  const auto spent = (total.unsqueeze(1) - (usable.cumsum(1) - usable)).clamp_min(0).minimum(usable);
  return torch::zeros_like(spent).scatter(1, order, spent).view(x_.sizes()).to(torch::kFloat32);
}

/// The nearest delta to this one with |delta|_1 <= eps and x + delta in [0,1]: sign(delta) clamp(|delta| - t, 0, room),
/// where t >= 0 is the smallest threshold that makes it fit.
torch::Tensor Ball::into_l1(const torch::Tensor& delta) const {
  const auto size = delta.abs().to(torch::kFloat64);
  const auto room = torch::where(delta.gt(0), 1 - x_, x_).to(torch::kFloat64);
  const auto fitted = [&](const torch::Tensor& threshold) {
    return torch::minimum((size - threshold.view({-1, 1, 1, 1})).clamp_min(0), room);
  };
  auto low = torch::zeros_like(eps_), high = size.flatten(1).amax(1);
  const auto fits = row_sums(fitted(low)).le(eps_);
  for (int i = 0; i < kHalvings; ++i) {
    const auto middle = (low + high) / 2;
    const auto enough = row_sums(fitted(middle)).le(eps_);
    high = torch::where(enough, middle, high);
    low = torch::where(enough, low, middle);
  }
  // Between the two no value changes its part: those cut by the threshold move with it, the others stand still.
  const auto at_high = size - high.view({-1, 1, 1, 1});
  const auto cut = at_high.gt(0).logical_and(at_high.lt(room)).to(torch::kFloat64);
  const auto surplus = eps_ - row_sums(fitted(high));
  const auto exact = (high - surplus / row_sums(cut).clamp_min(1)).maximum(low);
  return delta.sign() * fitted(torch::where(fits, torch::zeros_like(exact), exact)).to(torch::kFloat32);
}

/// (N,C,H,W) bool: the `count` ((N) float64) largest values of each row; of equal ones, the first.
torch::Tensor Ball::largest_values(const torch::Tensor& size, const torch::Tensor& count) const {
  const auto order = size.flatten(1).argsort(/*stable=*/true, 1, /*descending=*/true);
  const auto place = torch::arange(order.size(1), torch::kFloat64).expand_as(order);
  const auto chosen = place.lt(count.unsqueeze(1)).to(torch::kFloat32);
  return torch::zeros(order.sizes()).scatter(1, order, chosen).view(x_.sizes()).gt(0);
}

torch::Tensor Ball::exportable(const torch::Tensor& x_adv) const {
  if (!pixel_grid_ || size() == 0) return x_adv;
  if (norm_ == Norm::L0) return rounded(x_adv);
  if (norm_ != Norm::Linf) return pulled_back(x_adv);
  const auto centre = (x_ * 255).round();
  const auto radius = per_row((eps_ * 255 * (1 + kRounding)).floor(), centre);
  const auto levels = torch::minimum(torch::maximum((x_adv * 255).round(), centre - radius), centre + radius);
  return from_levels(levels.clamp(0, 255));
}

torch::Tensor Ball::rounded(const torch::Tensor& x_adv) const {
  return pixel_grid_ ? from_levels((x_adv * 255).round().clamp(0, 255)) : x_adv;
}

torch::Tensor Ball::on_grid(const torch::Tensor& x_adv) const {
  return rounded(x_adv).eq(x_adv).flatten(1).all(1);
}

torch::Tensor Ball::distance(const torch::Tensor& x_adv) const {
  const auto plain = row_norms(x_adv - x_, norm_);
  return pixel_grid_ ? torch::where(on_grid(x_adv), distances(x_adv, x_, norm_, true), plain) : plain;
}

torch::Tensor Ball::contains(const torch::Tensor& x_adv) const {
  const auto far = distance(x_adv);
  const auto roughly = within(far, eps_, false);
  return pixel_grid_ ? torch::where(on_grid(x_adv), within(far, eps_, true), roughly) : roughly;
}

torch::Tensor Ball::pulled_back(const torch::Tensor& x_adv) const {
  const bool squared = norm_ == Norm::L2;
  const auto centre = (x_ * 255).round().to(torch::kFloat64);
  const auto delta = (x_adv.to(torch::kFloat64) * 255 - centre).flatten(1);
  const auto nearest = delta.round();
  const auto limit = (eps_ * 255 * (1 + kRounding)).unsqueeze(1);
  const auto surplus =
      squared ? nearest.square().sum(1, true) - limit.square().floor() : nearest.abs().sum(1, true) - limit.floor();
  // Rounding |q| to |q|-1 takes 2|q|-1 off the squared norm, or 1 off the sum. Go through the pixels that rounding
  // moved outwards, those it moved farthest first, until the surplus is gone; truncating all of them is always enough.
  const auto outwards = nearest.abs() - delta.abs();
  const auto order = outwards.argsort(true, 1, true);
  const auto size_in_order = nearest.abs().gather(1, order);
  const auto saved = squared ? size_in_order * 2 - 1 : torch::ones_like(size_in_order);
  const auto gain = saved * outwards.gather(1, order).gt(0).to(torch::kFloat64);
  const auto gained_before = gain.cumsum(1) - gain;
  const auto pull_back = gain.gt(0).logical_and(gained_before.lt(surplus));
  const auto pulled = torch::zeros_like(nearest).scatter(1, order, pull_back.to(torch::kFloat64));
  const auto levels = centre + (nearest - nearest.sign() * pulled).view(x_.sizes());
  return from_levels(levels.clamp(0, 255));
}

torch::Tensor Ball::step(const torch::Tensor& x_adv, const torch::Tensor& raw_gradient,
                         const torch::Tensor& alpha) const {
  if (size() == 0) return x_adv;
  const auto gradient = masked(raw_gradient.nan_to_num(0, 0, 0));
  if (norm_ == Norm::Linf) return project(x_adv - gradient.sign() * per_row(alpha, gradient));
  if (norm_ == Norm::L1) {
    const auto room = torch::where(gradient.gt(0), x_adv, 1 - x_adv).clamp_min(0);
    const auto usable = gradient.abs() * room.gt(0).to(torch::kFloat32);
    const double moved = std::ceil(kSparse * static_cast<double>(x_.numel()) / static_cast<double>(size()));
    const auto each = alpha / row_norms(usable, Norm::L0).clamp(1, moved);
    const auto move = spent_on_best(usable, torch::minimum(room, per_row(each, room)), alpha);
    return project(x_adv - gradient.sign() * move);
  }
  const auto scale = alpha / row_norms(gradient, Norm::L2).clamp_min(1e-300);
  return project(x_adv - (gradient.to(torch::kFloat64) * per_row(scale, scale)).to(torch::kFloat32));
}

torch::Tensor Ball::random_point(const Rng& rng, const std::vector<int64_t>& index) const {
  const auto shape = x_.sizes().slice(1);
  const auto even = [&](const char* label) { return uniform_rows(rng.split(label), index, shape); };
  if (norm_ == Norm::Linf) return project(x_ + uniform_rows(rng, index, shape) * per_row(eps_, x_));
  if (norm_ == Norm::L0) {
    auto rank = even("place") + 2;
    if (mask_.defined()) rank = rank * mask_;
    return project(torch::where(largest_values(rank, eps_.floor()), (even("value") + 1) / 2, x_));
  }
  const double dimensions = static_cast<double>(x_.numel()) / static_cast<double>(std::max<int64_t>(1, size()));
  const auto radius =
      uniform_rows(rng.split("radius"), index, {1}).squeeze(1).to(torch::kFloat64).add(1).div(2).pow(1 / dimensions) *
      eps_;
  // L2: a normal direction. L1: exponential sizes with random signs, whose sum divided out is even on the sphere.
  const auto signs_and_sizes = [&] {
    const auto u = even("direction").to(torch::kFloat64);
    return (u.sign() * (1 - u.abs()).clamp_min(1e-12).log().neg()).to(torch::kFloat32);
  };
  const auto direction =
      masked(norm_ == Norm::L1 ? signs_and_sizes() : normal_rows(rng.split("direction"), index, shape));
  return project(x_ + direction * per_row(radius / row_norms(direction, norm_).clamp_min(1e-30), direction));
}

Ball Ball::select(const torch::Tensor& rows) const {
  Ball ball = *this;
  ball.x_ = x_.index_select(0, rows);
  ball.eps_ = eps_.index_select(0, rows);
  if (mask_.defined()) ball.mask_ = mask_.index_select(0, rows);
  return ball;
}

}  // namespace fercli
