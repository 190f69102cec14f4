#include "attacks/engine/minimal_eps.hpp"

#include "core/error.hpp"
#include "core/numbers.hpp"

namespace fercli {

namespace {

/// Distances within this share of the resolution above a multiple of it count as that multiple.
constexpr double kLevelSlack = 1e-3;

/// What is known of each image. Levels are multiples of the resolution.
class Bisection {
 public:
  Bisection(const AttackInput& input, int64_t classes, Norm norm, bool pixel_grid, const MinimalEpsSettings& settings)
      : input_(input),
        norm_(norm),
        pixel_grid_(pixel_grid),
        resolution_(settings.resolution),
        top_(static_cast<int64_t>(std::floor(settings.max_eps / settings.resolution + kLevelSlack))),
        failed_(static_cast<size_t>(input.x.size(0)), 0),
        reached_(failed_.size(), -1) {
    const int64_t n = input.x.size(0);
    result_ = {torch::full({n}, kInfinity, torch::kFloat64), input.x.clone(), torch::zeros({n, classes})};
    latest_ = input.start.defined() ? input.start.clone() : input.x.clone();
  }

  /// Rows that are not settled yet.
  std::vector<int64_t> open() const {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < failed_.size(); ++i) {
      const bool settled = reached_[i] < 0 ? failed_[i] >= top_ : reached_[i] - failed_[i] <= 1;
      if (!settled) rows.push_back(static_cast<int64_t>(i));
    }
    return rows;
  }

  int64_t next_level(int64_t row) const {
    const int64_t failed = failed_[static_cast<size_t>(row)], reached = reached_[static_cast<size_t>(row)];
    return reached < 0 ? std::min(std::max<int64_t>(1, 2 * failed), top_) : (failed + reached) / 2;
  }

  torch::Tensor eps_of(const std::vector<int64_t>& rows) const {
    std::vector<double> eps;
    for (const int64_t row : rows) eps.push_back(static_cast<double>(next_level(row)) * resolution_);
    return torch::tensor(eps, torch::kFloat64);
  }

  AttackInput input_of(const std::vector<int64_t>& rows) const {
    const auto places = torch::tensor(rows, torch::kInt64);
    std::vector<int64_t> index;
    for (const int64_t row : rows) index.push_back(input_.index[static_cast<size_t>(row)]);
    return {input_.x.index_select(0, places), input_.goal.select(places), index, latest_.index_select(0, places),
            input_.mask.defined() ? input_.mask.index_select(0, places) : input_.mask};
  }

  void learn(const std::vector<int64_t>& rows, const AttackResult& found) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const int64_t row = rows[i], level = next_level(row), place = static_cast<int64_t>(i);
      latest_[row].copy_(found.x_adv[place]);
      if (found.success[place].item<bool>())
        note_success(row, found.x_adv[place], found.logits[place]);
      else
        failed_[static_cast<size_t>(row)] = level;
    }
    result_.forward += found.forward;
    result_.backward += found.backward;
  }

  void note_success(int64_t row, const torch::Tensor& x_adv, const torch::Tensor& logits) {
    const double distance =
        distances(x_adv.unsqueeze(0), input_.x[row].unsqueeze(0), norm_, pixel_grid_).item<double>();
    const auto level = static_cast<int64_t>(std::ceil(distance / resolution_ - kLevelSlack));
    auto& reached = reached_[static_cast<size_t>(row)];
    if (reached >= 0 && !(distance < result_.eps[row].item<double>())) return;
    reached = level;
    result_.eps[row] = distance;
    result_.x_adv[row].copy_(x_adv);
    result_.logits[row].copy_(logits);
  }

  MinimalEpsResult& result() { return result_; }

 private:
  const AttackInput& input_;
  Norm norm_;
  bool pixel_grid_;
  double resolution_;
  int64_t top_;
  std::vector<int64_t> failed_, reached_;  ///< levels; reached -1: none yet
  torch::Tensor latest_;                   ///< the best image of the last attack
  MinimalEpsResult result_;
};

}  // namespace

MinimalEpsResult minimal_eps(const Classifier& classifier, const Attack& attack, Norm norm, const AttackInput& input,
                             const Rng& rng, const MinimalEpsSettings& settings) {
  if (!(settings.resolution > 0) || !(settings.max_eps >= settings.resolution)) {
    throw UserError("minimal eps: the largest eps must be at least the resolution, and both above 0");
  }
  // Where success begins lies on the decision boundary, which bfloat16 misplaces (search_precision in attack.hpp).
  const Classifier exact = classifier.with_precision(Precision::Float32);
  Bisection bisection(input, classifier.classes().size(), norm, attack.setup().pixel_grid, settings);
  if (input.start.defined() && input.x.size(0) > 0) {
    const auto logits = exact.logits(input.start);
    const auto reached = input.goal.reached(logits);
    for (int64_t row = 0; row < input.x.size(0); ++row) {
      if (reached[row].item<bool>()) bisection.note_success(row, input.start[row], logits[row]);
    }
    bisection.result().forward += input.x.size(0);
  }
  uint64_t round = 0;
  for (auto rows = bisection.open(); !rows.empty(); rows = bisection.open(), ++round) {
    const ThreatModel threat{norm, settings.max_eps, bisection.eps_of(rows)};
    bisection.learn(rows, attack.run(exact, threat, bisection.input_of(rows), rng.split(round)));
  }
  return bisection.result();
}

}  // namespace fercli
