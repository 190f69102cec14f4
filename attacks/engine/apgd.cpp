#include "attacks/engine/apgd.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace fercli {

namespace {

constexpr double kStepShare = 0.75;   ///< share of the new step; the rest continues the one before
constexpr double kStepPerEps = 2;     ///< in units of eps (Linf, L2)
constexpr double kFirstShare = 0.22;  ///< the first checkpoint
constexpr double kShrink = 0.03, kLeastShare = 0.06;
constexpr int64_t kStepsPerPart = 25;
constexpr const char* kPoints = "points";  ///< what is recalled

constexpr double kSparseCheck = 0.04;  ///< L1: a checkpoint every 4 % of the steps
constexpr double kFirstSparsity = 0.2;
constexpr double kSparsityFactor = 1.5, kStepFactor = 1.5, kLeastStep = 0.1, kSparser = 0.95;
constexpr double kOuterShare = 0.3;  ///< of the steps in each of the larger L1 balls
constexpr std::array<double, 2> kOuterRadii{3, 2};

torch::Tensor per_image(const torch::Tensor& values, const torch::Tensor& like) {
  return values.view({-1, 1, 1, 1}).to(like.scalar_type());
}

torch::Tensor pick(const torch::Tensor& where, const torch::Tensor& yes, const torch::Tensor& no) {
  return torch::where(where.view({-1, 1, 1, 1}), yes, no);
}

/// The ball of a multiple of eps around the images still unsolved.
Ball ball_of(const Search& search, double radius) {
  const auto& ball = search.ball();
  return radius == 1 ? ball : Ball(ball.norm(), ball.x(), ball.eps() * radius, /*pixel_grid=*/false, ball.mask());
}

torch::Tensor random_start(const Search& search, const std::string& label, double radius) {
  const Ball ball = ball_of(search, radius);
  const auto shape = ball.x().sizes().slice(1);
  const Rng rng = search.rng().split(label);
  const Norm norm = ball.norm();
  auto noise = norm == Norm::Linf ? uniform_rows(rng, search.index(), shape) : normal_rows(rng, search.index(), shape);
  if (ball.mask().defined()) noise = noise * ball.mask();
  if (norm == Norm::L1) return ball.project(ball.x() + noise);
  const auto scale = ball.eps() / row_norms(noise, norm).clamp_min(1e-12);
  return ball.project(ball.x() + noise * per_image(scale, noise));
}

/// When the step size is looked at: intervals that shrink from 22 % to 6 % of the steps.
class StepSchedule {
 public:
  explicit StepSchedule(int64_t steps)
      : interval_(whole(kFirstShare, steps)), shrink_(whole(kShrink, steps)), least_(whole(kLeastShare, steps)) {}

  int64_t interval() const { return interval_; }
  /// After each iteration: is it time? `interval` is then still the one that ends.
  bool due() { return ++count_ == interval_; }
  void next() {
    count_ = 0;
    interval_ = std::max(interval_ - shrink_, least_);
  }

 private:
  static int64_t whole(double share, int64_t steps) {
    return std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(steps)));
  }

  int64_t interval_, shrink_, least_, count_ = 0;
};

/// z = P(x + step), next = P(x + a (z - x) + (1 - a) (x - x before)).
torch::Tensor next_point(const Ball& ball, const torch::Tensor& x_adv, const torch::Tensor& before,
                         const torch::Tensor& gradient, const torch::Tensor& step, double momentum) {
  const auto z = ball.step(x_adv, gradient, step);
  return ball.project(x_adv + (z - x_adv) * momentum + (x_adv - before) * (1 - momentum));
}

/// Where a run in Linf or L2 is between two steps, a row for each image.
struct StepState {
  torch::Tensor x_adv, before, x_best, best_gradient, gradient;
  torch::Tensor best, best_at_check, previous, falls;  ///< losses; falls: how often the loss fell since the checkpoint
  torch::Tensor reduced, step;

  /// Calls `with` for each column and its name.
  template <class With>
  void each(With with) {
    with(kPoints, x_adv);
    with("before", before);
    with("best", x_best);
    with("best gradient", best_gradient);
    with("gradient", gradient);
    with("apgd best loss", best);
    with("apgd best at check", best_at_check);
    with("apgd previous loss", previous);
    with("apgd falls", falls);
    with("apgd reduced", reduced);
    with("apgd step", step);
  }
};

StepState first_state(Search& search, const ApgdRun& run, torch::Tensor x_adv) {
  const auto slope = search.gradient(x_adv, run.loss);
  const auto zeros = torch::zeros_like(slope.value);
  return {x_adv,
          x_adv,
          x_adv,
          slope.gradient,
          slope.gradient,
          slope.value,
          slope.value,
          zeros,
          zeros,
          torch::ones_like(zeros, torch::kBool),
          search.ball().eps() * kStepPerEps};
}

/// At a checkpoint: images whose loss oscillates (has not fallen more often than so) go on from their best point in
/// steps half as long.
void look_at_steps(StepState& at, double least_falls) {
  const auto oscillates = at.falls.le(least_falls);
  at.reduced = oscillates.logical_or(at.reduced.logical_not().logical_and(at.best_at_check.le(at.best)));
  at.best_at_check = at.best;
  at.step = torch::where(at.reduced, at.step / 2, at.step);
  at.x_adv = pick(at.reduced, at.x_best, at.x_adv);
  at.gradient = pick(at.reduced, at.best_gradient, at.gradient);
  at.falls = torch::zeros_like(at.best);
}

/// Linf and L2: the steps of one part.
void with_momentum(Search& search, const ApgdRun& run) {
  StepState at;
  if (run.part == 0) {
    at = first_state(search, run, search.given_start().defined() ? search.start() : random_start(search, run.label, 1));
  } else {
    at.each([&](const char* name, torch::Tensor& values) { values = search.recalled(name); });
  }
  const int64_t begin = run.part * kStepsPerPart, end = std::min(run.steps, begin + kStepsPerPart);
  StepSchedule schedule(run.steps);
  for (int64_t i = 0; i < begin; ++i) {
    if (schedule.due()) schedule.next();
  }
  for (int64_t i = begin; i < end && search.size() > 0; ++i) {
    const auto next = next_point(search.ball(), at.x_adv, at.before, at.gradient, at.step, i == 0 ? 1.0 : kStepShare);
    at.before = at.x_adv;
    at.x_adv = next;
    if (i + 1 == run.steps) break;
    const auto slope = search.gradient(at.x_adv, run.loss,
                                       {&at.before, &at.x_best, &at.best_gradient, &at.best, &at.best_at_check,
                                        &at.previous, &at.falls, &at.reduced, &at.step});
    at.gradient = slope.gradient;
    at.falls = at.falls + slope.value.lt(at.previous).to(at.falls.scalar_type());
    at.previous = slope.value;
    const auto better = slope.value.lt(at.best);
    at.x_best = pick(better, at.x_adv, at.x_best);
    at.best_gradient = pick(better, at.gradient, at.best_gradient);
    at.best = torch::where(better, slope.value, at.best);
    if (!schedule.due()) continue;
    look_at_steps(at, run.rho * static_cast<double>(schedule.interval()));
    schedule.next();
  }
  if (end == run.steps) return search.finish(at.x_adv);
  at.each([&](const char* name, torch::Tensor& values) { search.remember(name, values); });
}

/// Loss and gradient at points that may lie outside the ball: nothing is judged.
Slope glance(const Search& search, const ApgdRun& run, const torch::Tensor& points) {
  std::vector<torch::Tensor> gradients, values, logits;
  for (int64_t begin = 0; begin < search.size(); begin += run.batch_size) {
    const int64_t count = std::min(run.batch_size, search.size() - begin);
    const auto look = search.explore(torch::arange(begin, begin + count), points.narrow(0, begin, count));
    const auto lost = run.loss(look.logits, search.goal().narrow(begin, count), begin, count);
    gradients.push_back(look.pullback(lost.gradient));
    values.push_back(lost.value);
    logits.push_back(look.logits);
  }
  return {torch::cat(gradients), torch::cat(values), torch::cat(logits)};
}

/// Equal steps in the `share` ((M) float64) of the values with the largest gradient.
torch::Tensor sparse_step(const Ball& ball, const torch::Tensor& x_adv, const torch::Tensor& raw_gradient,
                          const torch::Tensor& step, const torch::Tensor& share) {
  auto gradient = raw_gradient.nan_to_num(0, 0, 0);
  if (ball.mask().defined()) gradient = gradient * ball.mask();
  const auto size = gradient.abs().flatten(1);
  const int64_t n = size.size(1);
  const auto place = ((1 - share) * static_cast<double>(n)).clamp(0, n - 1).to(torch::kInt64).unsqueeze(1);
  const auto threshold = std::get<0>(size.sort(1)).gather(1, place).view({-1, 1, 1, 1});
  const auto signs = gradient.sign() * gradient.abs().ge(threshold).to(torch::kFloat32);
  return ball.project(x_adv - signs * per_image(step / row_norms(signs, Norm::L1).clamp_min(1), signs));
}

/// L1, in the ball of `radius` times eps; returns the best point. Only in the last ball, that of eps itself, is
/// anything judged.
torch::Tensor sparse(Search& search, const ApgdRun& run, torch::Tensor x_adv, int64_t steps, double radius) {
  const bool last = radius == 1;
  const double values = static_cast<double>(x_adv[0].numel());
  const int64_t interval = std::max<int64_t>(1, static_cast<int64_t>(kSparseCheck * static_cast<double>(steps)));
  auto changed = row_norms(x_adv - search.ball().x(), Norm::L0);
  auto share =
      torch::where(changed.gt(0), changed / values / kSparsityFactor, torch::full_like(changed, kFirstSparsity));
  changed = torch::where(changed.gt(0), changed, torch::full_like(changed, values));

  auto slope = last ? search.gradient(x_adv, run.loss, {&share, &changed}) : glance(search, run, x_adv);
  auto x_best = x_adv, best_gradient = slope.gradient, gradient = slope.gradient, best = slope.value;
  auto step = search.ball().eps() * radius;
  for (int64_t i = 0; i < steps && search.size() > 0; ++i) {
    x_adv = sparse_step(ball_of(search, radius), x_adv, gradient, step, share);
    if (last && i + 1 == steps) break;
    slope = last ? search.gradient(x_adv, run.loss, {&share, &changed, &x_best, &best_gradient, &best, &step})
                 : glance(search, run, x_adv);
    gradient = slope.gradient;
    const auto better = slope.value.lt(best);
    x_best = pick(better, x_adv, x_best);
    best_gradient = pick(better, gradient, best_gradient);
    best = torch::where(better, slope.value, best);
    if ((i + 1) % interval != 0) continue;
    const auto now = row_norms(x_best - search.ball().x(), Norm::L0);
    const auto sparser = now.lt(changed * kSparser);
    const auto largest = search.ball().eps() * radius;
    share = now / values / kSparsityFactor;
    step = torch::where(sparser, largest, (step / kStepFactor).maximum(largest * kLeastStep));
    changed = now;
    x_adv = pick(sparser, x_best, x_adv);
    gradient = pick(sparser, best_gradient, gradient);
  }
  if (last) search.finish(x_adv);
  return x_best;
}

}  // namespace

std::vector<int64_t> apgd_checkpoints(int64_t steps) {
  std::vector<int64_t> checkpoints;
  StepSchedule schedule(steps);
  for (int64_t i = 1; i <= steps; ++i) {
    if (!schedule.due()) continue;
    checkpoints.push_back(i);
    schedule.next();
  }
  return checkpoints;
}

int64_t apgd_parts(Norm norm, int64_t steps) {
  if (norm == Norm::L1) return static_cast<int64_t>(kOuterRadii.size()) + 1;
  return std::max<int64_t>(1, (steps + kStepsPerPart - 1) / kStepsPerPart);
}

void auto_pgd(Search& search, const ApgdRun& run) {
  if (search.size() == 0) return;
  if (search.ball().norm() != Norm::L1) return with_momentum(search, run);
  torch::Tensor x_adv = search.recalled(kPoints);
  if (run.part == 0) {
    x_adv = search.given_start().defined() ? search.start() : random_start(search, run.label, kOuterRadii[0]);
  }
  const auto outer = static_cast<int64_t>(kOuterShare * static_cast<double>(run.steps));
  if (run.part == static_cast<int64_t>(kOuterRadii.size())) {
    sparse(search, run, search.ball().project(x_adv), run.steps - outer * run.part, 1);
    return;
  }
  const double radius = kOuterRadii[static_cast<size_t>(run.part)];
  search.remember(kPoints, sparse(search, run, ball_of(search, radius).project(x_adv), outer, radius));
}

Search::RowLoss heading_for(const Search& search, const torch::Tensor& classes) {
  // By place in the attack's input, since the images in the search grow fewer.
  const auto by_place =
      torch::zeros({search.rows().max().item<int64_t>() + 1}, torch::kInt64).index_copy(0, search.rows(), classes);
  return [by_place, &search](const torch::Tensor& z, const Goal& goal, int64_t begin, int64_t count) {
    return targeted_dlr_loss(z, goal.labels(), by_place.index_select(0, search.rows().narrow(0, begin, count)));
  };
}

void Apgd::perturb(Search& search) const {
  const auto loss = [this](const torch::Tensor& logits, const Goal& goal, int64_t, int64_t) {
    return loss_(logits, goal);
  };
  auto_pgd(search, {values().whole("steps"), values().number("rho"), setup().batch_size, "start", loss, search.part()});
}

std::vector<Parameter> apgd_parameters() {
  return {shared_parameter("steps", "100"), shared_parameter("restarts"), shared_parameter("random-start"),
          Parameter::number("rho", "0.75", {0, 1, true, true},
                            "share of an interval of steps in which the loss must fall, or the step size is halved "
                            "(Linf and L2)")};
}

AttackEntry apgd_entry(const std::string& loss, const std::string& summary) {
  auto parameters = apgd_parameters();
  auto loss_parameter = shared_parameter("loss", loss);
  loss_parameter.choices = {loss};
  parameters.push_back(loss_parameter);
  parameters.push_back(confidence_parameter());
  return {"apgd-" + loss,
          "Auto-PGD, which chooses its own step sizes, on " + summary,
          Access::Gradients,
          {Norm::Linf, Norm::L2, Norm::L1},
          true,
          true,
          "steps x (forward + backward) + 1 forward, until solved",
          "Croce & Hein, arXiv:2003.01690; L1: arXiv:2103.01208",
          [](const AttackSetup& setup) -> std::unique_ptr<Attack> { return std::make_unique<Apgd>(setup); },
          parameters,
          Precision::BFloat16};
}

}  // namespace fercli
