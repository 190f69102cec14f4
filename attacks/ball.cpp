#include "attacks/ball.hpp"

#include "core/error.hpp"
#include "data/dataset.hpp"

namespace fercli {

namespace {

/// Slack, in units of 1/255, for the rounding of float32 pixels and of fractions such as 8/255.
constexpr double kSlack = 1e-4;

torch::Tensor per_row(const torch::Tensor& values, const torch::Tensor& like) {
  return values.view({-1, 1, 1, 1}).to(like.scalar_type());
}

/// Whole pixel values 0…255 back to [0,1], with the very bits that reading the file gives.
torch::Tensor from_levels(const torch::Tensor& levels) {
  return to_float(levels.to(torch::kUInt8));
}

}  // namespace

Ball::Ball(Norm norm, torch::Tensor x, torch::Tensor eps, bool pixel_grid)
    : norm_(norm), x_(std::move(x)), eps_(std::move(eps)), pixel_grid_(pixel_grid) {
  if (pixel_grid_ && x_.numel() > 0 && (x_ * 255).sub((x_ * 255).round()).abs().max().item<float>() > kSlack) {
    throw UserError("an attack on the pixel grid needs 8-bit images: pixels must be multiples of 1/255");
  }
}

torch::Tensor Ball::project(const torch::Tensor& x_adv) const {
  if (norm_ == Norm::Linf) {
    const auto radius = per_row(eps_, x_);
    return torch::minimum(torch::maximum(x_adv, x_ - radius), x_ + radius).clamp(0, 1);
  }
  const auto delta = x_adv - x_;
  const auto shrink = (eps_ / row_norms(delta, norm_).clamp_min(1e-30)).clamp_max(1);
  return (x_ + delta * per_row(shrink, delta)).clamp(0, 1);
}

torch::Tensor Ball::exportable(const torch::Tensor& x_adv) const {
  if (!pixel_grid_ || size() == 0) return x_adv;
  if (norm_ == Norm::L2) return exportable_l2(x_adv);
  const auto centre = (x_ * 255).round();
  const auto radius = per_row((eps_ * 255 + kSlack).floor(), centre);
  const auto levels = torch::minimum(torch::maximum((x_adv * 255).round(), centre - radius), centre + radius);
  return from_levels(levels.clamp(0, 255));
}

torch::Tensor Ball::exportable_l2(const torch::Tensor& x_adv) const {
  const auto centre = (x_ * 255).round().to(torch::kFloat64);
  const auto delta = (x_adv.to(torch::kFloat64) * 255 - centre).flatten(1);
  const auto nearest = delta.round();
  const auto limit = (eps_ * 255 + kSlack).square().unsqueeze(1);
  const auto surplus = nearest.square().sum(1, true) - limit;
  // Rounding |q| to |q|-1 takes 2|q|-1 off the squared norm. Go through the pixels that rounding moved outwards, those
  // it moved farthest first, until the surplus is gone; truncating all of them is always enough.
  const auto outwards = nearest.abs() - delta.abs();
  const auto order = outwards.argsort(true, 1, true);
  const auto size_in_order = nearest.abs().gather(1, order);
  const auto gain = (size_in_order * 2 - 1) * outwards.gather(1, order).gt(0).to(torch::kFloat64);
  const auto gained_before = gain.cumsum(1) - gain;
  const auto pull_back = gain.gt(0).logical_and(gained_before.lt(surplus));
  const auto pulled = torch::zeros_like(nearest).scatter(1, order, pull_back.to(torch::kFloat64));
  const auto levels = centre + (nearest - nearest.sign() * pulled).view(x_.sizes());
  return from_levels(levels.clamp(0, 255));
}

torch::Tensor Ball::step(const torch::Tensor& x_adv, const torch::Tensor& raw_gradient,
                         const torch::Tensor& alpha) const {
  const auto gradient = raw_gradient.nan_to_num(0, 0, 0);
  if (norm_ == Norm::Linf) return project(x_adv - gradient.sign() * per_row(alpha, gradient));
  const auto scale = alpha / row_norms(gradient, norm_).clamp_min(1e-300);
  return project(x_adv - (gradient.to(torch::kFloat64) * per_row(scale, scale)).to(torch::kFloat32));
}

torch::Tensor Ball::random_point(const Rng& rng, const std::vector<int64_t>& index) const {
  const auto shape = x_.sizes().slice(1);
  if (norm_ == Norm::Linf) return project(x_ + uniform_rows(rng, index, shape) * per_row(eps_, x_));
  const auto direction = normal_rows(rng.split("direction"), index, shape);
  const double dimensions = static_cast<double>(x_.numel()) / static_cast<double>(std::max<int64_t>(1, size()));
  const auto radius =
      uniform_rows(rng.split("radius"), index, {1}).squeeze(1).to(torch::kFloat64).add(1).div(2).pow(1 / dimensions) *
      eps_;
  return project(x_ + direction * per_row(radius / row_norms(direction, norm_).clamp_min(1e-30), direction));
}

Ball Ball::select(const torch::Tensor& rows) const {
  Ball ball = *this;
  ball.x_ = x_.index_select(0, rows);
  ball.eps_ = eps_.index_select(0, rows);
  return ball;
}

}  // namespace fercli
