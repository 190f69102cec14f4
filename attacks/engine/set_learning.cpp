#include "attacks/engine/set_learning.hpp"

namespace fercli {

namespace {

constexpr double kPast = 0.3;

}  // namespace

ImageOrder::ImageOrder(int64_t n, int64_t per_step, const Rng& rng)
    : n_(n), per_step_(std::min(n, per_step)), rng_(rng.split("order")) {}

std::vector<int64_t> ImageOrder::next() {
  std::vector<int64_t> rows;
  while (static_cast<int64_t>(rows.size()) < per_step_) {
    if (order_.empty()) order_ = rng_.split(epoch_++).permutation(n_);
    rows.push_back(order_.back());
    order_.pop_back();
  }
  return rows;
}

GoalLoss loss_of_the_unfinished(const GoalLossFunction& loss, const torch::Tensor& logits, const Goal& goal) {
  GoalLoss lost = loss(logits, goal);
  const auto span = logits.amax(1) - logits.amin(1);
  const auto pulls = margin_loss(logits, goal).value.gt(span * -kPast);
  lost.gradient = lost.gradient * pulls.to(torch::kFloat32).unsqueeze(1);
  return lost;
}

}  // namespace fercli
