#include "attacks/engine/search.hpp"

#include "core/interrupt.hpp"

namespace fercli {

namespace {

/// Fast arithmetic is in doubt about an image whose margin is this share of the span of its logits or less: bfloat16
/// keeps 8 bits, and the networks' logits come out right to 1 or 2 in 100.
constexpr double kDoubt = 0.1;

}  // namespace

void confirm_best(const Classifier& judge, const Goal& goal, const torch::Tensor& rows, Findings* findings) {
  if (rows.size(0) == 0) return;
  const auto logits = judge.logits(findings->x_adv.index_select(0, rows));
  const auto success = goal.reached(logits);
  findings->logits.index_copy_(0, rows, logits);
  findings->success.index_copy_(0, rows, success);
  findings->float_success.index_fill_(0, rows.masked_select(success), true);
}

Search::Search(Turn turn, Ball ball, Goal goal, std::vector<int64_t> index, torch::Tensor rows, Findings* findings)
    : turn_(turn),
      ball_(std::move(ball)),
      goal_(std::move(goal)),
      index_(std::move(index)),
      rows_(std::move(rows)),
      findings_(findings) {}

void Search::lend(const Attack& attack, const std::string& label, int64_t part,
                  const std::function<void(Search&)>& act) {
  const Turn own = turn_;
  turn_ = {own.networks, &attack, own.rng.split(label), part};
  if (attack.search_precision(Precision::BFloat16) == Precision::Float32) turn_.networks.fast = own.networks.judge;
  act(*this);
  turn_ = own;
}

torch::Tensor Search::nearest_success() const {
  return findings_->distance.index_select(0, rows_);
}

torch::Tensor Search::start() const {
  return start_.defined() ? ball_.project(start_) : ball_.random_point(turn_.rng.split("start"), index_);
}

torch::Tensor Search::shown(const torch::Tensor& x_adv) const {
  return turn_.attack->reach() == Attack::Reach::InsideBall ? ball_.exportable(x_adv) : ball_.rounded(x_adv);
}

Slope Search::gradient(torch::Tensor& x_adv, const GoalLossFunction& loss, State state) {
  return gradient(
      x_adv, [&](const torch::Tensor& logits, const Goal& goal, int64_t, int64_t) { return loss(logits, goal); },
      state);
}

Slope Search::gradient(torch::Tensor& x_adv, const RowLoss& loss, State state) {
  const auto shown = this->shown(x_adv);
  if (size() == 0) return {torch::empty_like(shown), torch::empty({0}), torch::empty({0, classes()})};
  auto gradient = torch::empty_like(shown);
  std::vector<torch::Tensor> logits, values;
  const int64_t batch = turn_.attack->setup().batch_size;
  for (int64_t begin = 0; begin < size(); begin += batch) {
    throw_if_interrupted();
    const int64_t count = std::min(batch, size() - begin);
    const auto line = turn_.networks.fast->linearize(shown.narrow(0, begin, count));
    const auto lost = loss(line.logits, goal_.narrow(begin, count), begin, count);
    logits.push_back(line.logits);
    values.push_back(lost.value);
    gradient.narrow(0, begin, count).copy_(line.pullback(lost.gradient));
  }
  Slope slope{gradient, torch::cat(values), torch::cat(logits)};
  const auto keep = confirmed(shown, slope.logits, Verdict::OnTheWay);
  if (keep.size(0) == size()) return slope;
  keep_only(keep, x_adv, state);
  return {slope.gradient.index_select(0, keep), slope.value.index_select(0, keep), slope.logits.index_select(0, keep)};
}

Look Search::look(torch::Tensor& x_adv, State state) {
  const auto shown = this->shown(x_adv);
  std::vector<Linearization> lines;
  std::vector<torch::Tensor> parts{torch::empty({0, classes()})};
  const int64_t batch = turn_.attack->setup().batch_size, all = size();
  for (int64_t begin = 0; begin < all; begin += batch) {
    throw_if_interrupted();
    lines.push_back(
        turn_.networks.fast->linearize(shown.narrow(0, begin, std::min(batch, all - begin)), /*keep_graph=*/true));
    parts.push_back(lines.back().logits);
  }
  const auto logits = torch::cat(parts);
  const auto keep = all > 0 ? confirmed(shown, logits, Verdict::OnTheWay) : torch::empty({0}, torch::kInt64);
  if (keep.size(0) < all) keep_only(keep, x_adv, state);
  const auto pullback = [lines, keep, all, batch, like = shown](const torch::Tensor& dlogits) {
    throw_if_interrupted();
    const auto every = torch::zeros({all, dlogits.size(1)}).index_copy(0, keep, dlogits);
    auto gradient = torch::empty_like(like);
    for (size_t i = 0; i < lines.size(); ++i) {
      const int64_t begin = static_cast<int64_t>(i) * batch, count = lines[i].logits.size(0);
      gradient.narrow(0, begin, count).copy_(lines[i].pullback(every.narrow(0, begin, count)));
    }
    return keep.size(0) == all ? gradient : gradient.index_select(0, keep);
  };
  return {logits.index_select(0, keep), pullback};
}

torch::Tensor Search::scores(torch::Tensor& x_adv, State state) {
  const auto shown = this->shown(x_adv);
  if (size() == 0) return torch::empty({0, classes()});
  throw_if_interrupted();
  auto logits = turn_.networks.fast->quick_logits(shown);
  const auto keep = confirmed(shown, logits, Verdict::OnTheWay);
  if (keep.size(0) == size()) return logits;
  keep_only(keep, x_adv, state);
  return logits.index_select(0, keep);
}

void Search::offer(torch::Tensor& x_adv, State state) {
  if (size() == 0) return;
  throw_if_interrupted();
  const auto shown = this->shown(x_adv);
  const auto keep = confirmed(shown, turn_.networks.fast->logits(shown), Verdict::Last);
  if (keep.size(0) < size()) keep_only(keep, x_adv, state);
}

void Search::finish(torch::Tensor& x_adv) {
  offer(x_adv);
  if (size() == 0 || !ball_.pixel_grid()) return;
  const auto candidates = findings_->float_success.index_select(0, rows_).logical_not();
  const auto unsolved = places_where(
      turn_.attack->reach() == Attack::Reach::Anywhere ? candidates.logical_and(ball_.contains(x_adv)) : candidates);
  if (unsolved.size(0) == 0) return;
  const auto points = x_adv.index_select(0, unsolved);
  const auto goal = goal_.select(unsolved);
  const auto claimed = places_where(goal.reached(turn_.networks.fast->logits(points)));
  if (claimed.size(0) == 0) return;
  const auto reached = goal.select(claimed).reached(turn_.networks.judge->logits(points.index_select(0, claimed)));
  const auto successes = unsolved.index_select(0, claimed).masked_select(reached);
  findings_->float_success.index_fill_(0, rows_.index_select(0, successes), true);
}

/// Writes what `shown` (with its logits from the fast network) teaches into the findings and returns which images go
/// on.
torch::Tensor Search::confirmed(const torch::Tensor& shown, const torch::Tensor& fast_logits, Verdict verdict) {
  const auto& setup = turn_.attack->setup();
  if (setup.trace) setup.trace(rows_, shown, fast_logits);
  auto logits = fast_logits.clone();
  const auto before = findings_->success.index_select(0, rows_);
  const auto seen = goal_.reached(logits);
  // On the way to more confidence a success is confirmed only when it may be the last one; at the ends, float32
  // also decides where the fast arithmetic is in doubt.
  auto asked = verdict == Verdict::Last
                   ? seen.logical_or(margin_loss(logits, goal_).value.le((logits.amax(1) - logits.amin(1)) * kDoubt))
                   : seen.logical_and(before.logical_not().logical_or(goal_.probability(logits).ge(setup.confidence)));
  torch::Tensor inside, distance, closer;
  if (turn_.attack->reach() == Attack::Reach::Anywhere) inside = ball_.contains(shown);
  if (nearest()) {
    distance = ball_.distance(shown);
    closer = distance.lt(findings_->distance.index_select(0, rows_));
    asked = verdict == Verdict::Last ? asked.logical_and(closer) : seen.logical_and(closer);
  }
  if (inside.defined()) asked = asked.logical_and(inside);
  const auto claimed = places_where(asked);
  auto reached = torch::zeros_like(asked);
  if (claimed.size(0) > 0) {
    const auto verdicts = turn_.networks.judge->logits(shown.index_select(0, claimed));
    logits.index_copy_(0, claimed, verdicts);
    reached.index_copy_(0, claimed, goal_.select(claimed).reached(verdicts));
  }
  const auto margin = margin_loss(logits, goal_).value;
  const auto lower = margin.lt(findings_->margin.index_select(0, rows_));
  const auto first = reached.logical_and(before.logical_not());
  auto improved = first.logical_or(reached.eq(before).logical_and(lower));
  if (nearest()) improved = reached.logical_or(before.logical_not().logical_and(lower));
  if (inside.defined()) improved = improved.logical_and(inside);
  note(rows_, shown, logits, margin, reached, improved);
  if (claimed.size(0) == 0) return torch::arange(rows_.size(0));
  findings_->float_success.index_fill_(0, rows_.masked_select(reached), true);
  auto solved = reached.logical_and(goal_.probability(logits).ge(setup.confidence));
  if (nearest()) {
    findings_->distance.index_copy_(0, rows_.masked_select(reached), distance.masked_select(reached));
    solved = reached.logical_and(distance.eq(0));
  }
  findings_->done.index_fill_(0, rows_.masked_select(solved), true);
  return places_where(solved.logical_not());
}

/// These rows of `shown` become the best images yet where they are `improved`. They are this stage's, unless another
/// has reached the goal with an image of its own.
void Search::note(const torch::Tensor& places, const torch::Tensor& shown, const torch::Tensor& logits,
                  const torch::Tensor& margin, const torch::Tensor& reached, const torch::Tensor& improved) {
  const auto better = places_where(improved);
  if (better.size(0) == 0) return;
  const auto to = places.index_select(0, better);
  findings_->x_adv.index_copy_(0, to, shown.index_select(0, better));
  findings_->logits.index_copy_(0, to, logits.index_select(0, better));
  findings_->margin.index_copy_(0, to, margin.index_select(0, better));
  const auto earlier = findings_->success.logical_and(findings_->stage.ge(0)).index_select(0, to);
  findings_->stage.index_fill_(0, to.masked_select(earlier.logical_not()), stage_);
  findings_->success.index_copy_(0, to, reached.index_select(0, better));
}

Look Search::explore(const torch::Tensor& rows, const torch::Tensor& points) const {
  throw_if_interrupted();
  const auto line = turn_.networks.fast->linearize(points, /*keep_graph=*/true);
  if (turn_.attack->setup().trace) turn_.attack->setup().trace(rows_.index_select(0, rows), points, line.logits);
  return {line.logits, line.pullback};
}

torch::Tensor Search::test(const torch::Tensor& rows, const torch::Tensor& points, const torch::Tensor& cost) {
  if (rows.size(0) == 0) return torch::empty({0}, torch::kBool);
  throw_if_interrupted();
  const auto goal = goal_.select(rows);
  const auto places = rows_.index_select(0, rows);
  const auto logits = turn_.networks.judge->logits(points);
  auto reached = goal.reached(logits);
  const auto inside = ball_.select(rows).contains(points);
  findings_->float_success.index_fill_(0, places.masked_select(reached.logical_and(inside)), true);
  const auto counts = inside.logical_and(ball_.rounded(points).eq(points).flatten(1).all(1));
  const auto success = reached.logical_and(counts);
  const auto before = findings_->success.index_select(0, places);
  const auto margin = margin_loss(logits, goal).value;
  const auto closer = nearest() ? cost.lt(findings_->distance.index_select(0, places)) : before.logical_not();
  const auto lower =
      before.logical_or(reached).logical_not().logical_and(margin.lt(findings_->margin.index_select(0, places)));
  note(places, points, logits, margin, success, success.logical_and(closer).logical_or(counts.logical_and(lower)));
  const auto found = places.masked_select(success.logical_and(closer));
  findings_->distance.index_copy_(0, found, cost.masked_select(success.logical_and(closer)));
  const auto solved = nearest() ? cost.eq(0) : goal.probability(logits).ge(turn_.attack->setup().confidence);
  findings_->done.index_fill_(0, places.masked_select(success.logical_and(solved)), true);
  return reached;
}

torch::Tensor Search::recalled(const std::string& name) const {
  const auto found = findings_->memory.find(name);
  return found == findings_->memory.end() ? torch::Tensor() : found->second.index_select(0, rows_);
}

void Search::remember(const std::string& name, const torch::Tensor& values) {
  findings_->remember(name, rows_, values);
}

void Search::remember(const std::string& name, const torch::Tensor& rows, const torch::Tensor& values) {
  findings_->remember(name, rows_.index_select(0, rows), values);
}

void Search::leave_solved() {
  auto none = ball_.x();
  keep_only(places_where(solved().logical_not()), none, {});
}

void Search::give_up(const torch::Tensor& places) {
  if (places.size(0) == 0) return;
  const auto rows = rows_.index_select(0, places);
  confirm_best(*turn_.networks.judge, goal_.select(places), rows, findings_);
  findings_->done.index_fill_(0, rows, true);
  leave_solved();
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
