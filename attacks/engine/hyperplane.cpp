#include "attacks/engine/hyperplane.hpp"

#include <stdexcept>

#include "attacks/threat/losses.hpp"

namespace fercli {

namespace {

/// Keeps quotients finite where a gradient vanishes.
constexpr double kTinyNorm = 1e-12;
/// Newton's method ends when this share of the change is missing, or at the latest after so many steps.
constexpr double kExact = 1e-9;
constexpr int kNewtonSteps = 60;

/// Every value moves by min(multiplier * pace, room): with the pace |w| that is the nearest step in L2, with 1 in Linf.
torch::Tensor capped_move(const torch::Tensor& weight, const torch::Tensor& room, const torch::Tensor& change,
                          const torch::Tensor& pace) {
  auto multiplier = torch::zeros_like(change);
  auto moving = change.gt(0);
  torch::Tensor move = torch::zeros_like(weight);
  for (int i = 0; i < kNewtonSteps && moving.any().item<bool>(); ++i) {
    move = torch::minimum(over_pixels(multiplier) * pace, room);
    const auto missing = change - row_sums(weight * move);
    const auto slope = row_sums((weight * pace).masked_fill(move.ge(room), 0));
    moving = moving.logical_and(missing.gt(change * kExact)).logical_and(slope.gt(0));
    multiplier = torch::where(moving, multiplier + missing / slope.clamp_min(1e-300), multiplier);
  }
  return torch::minimum(over_pixels(multiplier) * pace, room);
}

/// The values with the largest weight move as far as they can, one after the other.
torch::Tensor greedy_move(const torch::Tensor& weight, const torch::Tensor& room, const torch::Tensor& change) {
  const auto order = weight.flatten(1).argsort(/*stable=*/true, 1, /*descending=*/true);
  const auto sorted = weight.flatten(1).gather(1, order), free = room.flatten(1).gather(1, order);
  const auto gain = sorted * free;
  const auto missing = (change.unsqueeze(1) - (gain.cumsum(1) - gain)).clamp_min(0);
  const auto move = torch::minimum(missing / sorted.clamp_min(1e-300), free).masked_fill(sorted.eq(0), 0);
  return torch::zeros_like(move).scatter(1, order, move).view(weight.sizes());
}

}  // namespace

torch::Tensor dual_norms(const torch::Tensor& gradient, Norm norm) {
  if (norm == Norm::Linf) return row_norms(gradient, Norm::L1);
  return row_norms(gradient, norm == Norm::L2 ? Norm::L2 : Norm::Linf);
}

Hyperplane nearest_hyperplane(const torch::Tensor& logits,
                              const std::function<torch::Tensor(const torch::Tensor& dlogits)>& pullback,
                              const Goal& goal, Norm norm) {
  if (goal.is_targeted()) {
    const auto margin = margin_loss(logits, goal);
    return {margin.value, pullback(margin.gradient)};
  }
  const auto label = goal.labels().unsqueeze(1);
  Hyperplane nearest;
  torch::Tensor smallest;
  for (int64_t place = 1; place < logits.size(1); ++place) {
    // The other classes in turn: y + 1, y + 2, … in a circle.
    const auto rival = (label + place).remainder(logits.size(1));
    const auto ones = torch::ones({logits.size(0), 1});
    const auto normal = pullback(torch::zeros_like(logits).scatter(1, label, ones).scatter(1, rival, -ones));
    const auto value = (logits.gather(1, label) - logits.gather(1, rival)).squeeze(1);
    const auto distance = value.abs() / (dual_norms(normal, norm) + kTinyNorm);
    if (!smallest.defined()) {
      nearest = {value, normal};
      smallest = distance;
      continue;
    }
    const auto nearer = distance.lt(smallest);
    nearest = {torch::where(nearer, value, nearest.value), torch::where(over_pixels(nearer), normal, nearest.normal)};
    smallest = torch::where(nearer, distance, smallest);
  }
  return nearest;
}

torch::Tensor step_onto(const torch::Tensor& points, const torch::Tensor& normal, const torch::Tensor& change,
                        Norm norm) {
  const auto towards = normal.to(torch::kFloat64) * over_pixels(change.sign());
  const auto weight = towards.abs();
  const auto from = points.to(torch::kFloat64);
  const auto room = torch::where(towards.gt(0), 1 - from, from).masked_fill(weight.eq(0), 0);
  torch::Tensor move;
  if (norm == Norm::L1) {
    move = greedy_move(weight, room, change.abs());
  } else if (norm == Norm::L2 || norm == Norm::Linf) {
    move = capped_move(weight, room, change.abs(), norm == Norm::L2 ? weight : torch::ones_like(weight));
  } else {
    throw std::invalid_argument("step_onto: Linf, L2 or L1");
  }
  return (towards.sign() * move).to(torch::kFloat32);
}

}  // namespace fercli
