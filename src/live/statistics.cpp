#include "live/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fercli {

void LatencyHistogram::add(double milliseconds) {
  const auto bin = static_cast<size_t>(std::max(0.0, milliseconds) / kStep);
  ++bins_[std::min(bin, bins_.size() - 1)];
  ++count_;
  sum_ += milliseconds;
  longest_ = std::max(longest_, milliseconds);
}

double LatencyHistogram::quantile(double share) const {
  const auto wanted = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < bins_.size(); ++i) {
    seen += bins_[i];
    if (seen >= wanted) return i + 1 < bins_.size() ? kStep * static_cast<double>(i + 1) : longest_;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void RateMeter::tick(double seconds) {
  times_.push_back(seconds);
  while (times_.front() < seconds - kWindow) times_.pop_front();
}

double RateMeter::rate() const {
  if (times_.size() < 2 || times_.back() <= times_.front()) return 0;
  return static_cast<double>(times_.size() - 1) / (times_.back() - times_.front());
}

}  // namespace fercli
