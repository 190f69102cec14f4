#include "attacks/search.hpp"

#include "core/interrupt.hpp"

namespace fercli {

namespace {

/// Fast arithmetic is in doubt about an image whose margin is this share of the span of its logits or less: bfloat16
/// keeps 8 bits, and the networks' logits come out right to 1 or 2 in 100.
constexpr double kDoubt = 0.1;

torch::Tensor rows_where(const torch::Tensor& mask) {
  return mask.nonzero().squeeze(1);
}

}  // namespace

Search::Search(Networks networks, const AttackSettings& settings, Ball ball, Goal goal, std::vector<int64_t> index,
               torch::Tensor rows, const Rng& rng, Findings* findings)
    : networks_(networks),
      settings_(settings),
      ball_(std::move(ball)),
      goal_(std::move(goal)),
      index_(std::move(index)),
      rows_(std::move(rows)),
      rng_(rng),
      findings_(findings) {}

torch::Tensor Search::start() const {
  return start_.defined() ? ball_.project(start_) : ball_.random_point(rng_.split("start"), index_);
}

torch::Tensor Search::gradient(torch::Tensor& x_adv, GoalLossFunction loss, State state) {
  const auto shown = ball_.exportable(x_adv);
  auto gradient = torch::empty_like(shown);
  std::vector<torch::Tensor> logits;
  for (int64_t begin = 0; begin < size(); begin += settings_.batch_size) {
    throw_if_interrupted();
    const int64_t count = std::min(settings_.batch_size, size() - begin);
    const auto line = networks_.fast.linearize(shown.narrow(0, begin, count));
    logits.push_back(line.logits);
    gradient.narrow(0, begin, count).copy_(line.pullback(loss(line.logits, goal_.narrow(begin, count)).gradient));
  }
  if (size() == 0) return gradient;
  const auto keep = judged(shown, torch::cat(logits), Look::OnTheWay);
  if (keep.size(0) == size()) return gradient;
  keep_only(keep, x_adv, state);
  return gradient.index_select(0, keep);
}

void Search::offer(torch::Tensor& x_adv, State state) {
  if (size() == 0) return;
  throw_if_interrupted();
  const auto shown = ball_.exportable(x_adv);
  const auto keep = judged(shown, networks_.fast.logits(shown), Look::Last);
  if (keep.size(0) < size()) keep_only(keep, x_adv, state);
}

void Search::finish(torch::Tensor& x_adv) {
  offer(x_adv);
  if (size() == 0 || !ball_.pixel_grid()) return;
  const auto unsolved = rows_where(findings_->float_success.index_select(0, rows_).logical_not());
  if (unsolved.size(0) == 0) return;
  const auto points = x_adv.index_select(0, unsolved);
  const auto goal = goal_.select(unsolved);
  const auto claimed = rows_where(goal.reached(networks_.fast.logits(points)));
  if (claimed.size(0) == 0) return;
  const auto reached = goal.select(claimed).reached(networks_.judge.logits(points.index_select(0, claimed)));
  const auto successes = unsolved.index_select(0, claimed).masked_select(reached);
  findings_->float_success.index_fill_(0, rows_.index_select(0, successes), true);
}

/// Writes what `shown` (the exportable images, with their logits from the fast network) teaches into the findings and
/// returns which images go on.
torch::Tensor Search::judged(const torch::Tensor& shown, const torch::Tensor& fast_logits, Look look) {
  auto logits = fast_logits.clone();
  const auto before = findings_->success.index_select(0, rows_);
  const auto seen = goal_.reached(logits);
  // On the way to more confidence a success is looked at again only when it may be the last one; at the ends, float32
  // also decides where the fast arithmetic is in doubt.
  const auto asked =
      look == Look::OnTheWay
          ? seen.logical_and(before.logical_not().logical_or(goal_.probability(logits).ge(settings_.confidence)))
          : seen.logical_or(margin_loss(logits, goal_).value.le((logits.amax(1) - logits.amin(1)) * kDoubt));
  const auto claimed = rows_where(asked);
  auto reached = torch::zeros_like(asked);
  if (claimed.size(0) > 0) {
    const auto verdict = networks_.judge.logits(shown.index_select(0, claimed));
    logits.index_copy_(0, claimed, verdict);
    reached.index_copy_(0, claimed, goal_.select(claimed).reached(verdict));
  }
  const auto margin = margin_loss(logits, goal_).value;
  const auto lower = margin.lt(findings_->margin.index_select(0, rows_));
  const auto better =
      rows_where(reached.logical_and(before.logical_not()).logical_or(reached.eq(before).logical_and(lower)));
  if (better.size(0) > 0) {
    const auto places = rows_.index_select(0, better);
    findings_->x_adv.index_copy_(0, places, shown.index_select(0, better));
    findings_->logits.index_copy_(0, places, logits.index_select(0, better));
    findings_->margin.index_copy_(0, places, margin.index_select(0, better));
    findings_->success.index_copy_(0, places, reached.index_select(0, better));
  }
  const auto solved = reached.logical_and(goal_.probability(logits).ge(settings_.confidence));
  if (claimed.size(0) > 0) {
    findings_->float_success.index_fill_(0, rows_.masked_select(reached), true);
    findings_->done.index_fill_(0, rows_.masked_select(solved), true);
  }
  return rows_where(solved.logical_not());
}

void Search::keep_only(const torch::Tensor& keep, torch::Tensor& x_adv, State state) {
  ball_ = ball_.select(keep);
  goal_ = goal_.select(keep);
  rows_ = rows_.index_select(0, keep);
  if (start_.defined()) start_ = start_.index_select(0, keep);
  x_adv = x_adv.index_select(0, keep);
  for (torch::Tensor* tensor : state) *tensor = tensor->index_select(0, keep);
  std::vector<int64_t> index;
  for (int64_t i = 0; i < keep.size(0); ++i) index.push_back(index_[static_cast<size_t>(keep[i].item<int64_t>())]);
  index_ = std::move(index);
}

}  // namespace fercli
