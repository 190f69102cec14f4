#include "live/label_smoother.hpp"

#include <cmath>

#include "data/label_set.hpp"

namespace fercli {

void LabelSmoother::update(const std::vector<double>& probabilities, double time) {
  const bool first = mean_.empty(), raw = smoothing_.seconds <= 0;
  if (first || raw) {
    mean_ = probabilities;
  } else {
    const double weight = 1 - std::exp(-(time - time_) / smoothing_.seconds);
    for (size_t i = 0; i < mean_.size(); ++i) mean_[i] += weight * (probabilities[i] - mean_[i]);
  }
  time_ = time;
  const int64_t best = top_of(mean_);
  if (first || raw) {
    shown_ = best;
    return;
  }
  const bool leads =
      mean_[static_cast<size_t>(best)] >= mean_[static_cast<size_t>(shown_)] + smoothing_.lead && best != shown_;
  challenges_ = !leads ? 0 : best == challenger_ ? challenges_ + 1 : 1;
  challenger_ = best;
  if (challenges_ == 1) challenged_since_ = time;
  if (challenges_ >= smoothing_.frames || (challenges_ > 1 && time - challenged_since_ >= smoothing_.patience)) {
    shown_ = best;
    challenges_ = 0;
  }
}

std::optional<int64_t> LabelSmoother::label() const {
  if (mean_.empty() || mean_[static_cast<size_t>(shown_)] < smoothing_.certainty) return {};
  return shown_;
}

}  // namespace fercli
