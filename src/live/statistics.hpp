#pragma once

#include <array>
#include <cstdint>
#include <deque>

namespace fercli {

/// How long things took, in a memory that does not grow: counts in steps of 0.1 ms up to 2 s, and the longest.
class LatencyHistogram {
 public:
  void add(double milliseconds);

  /// The latency that this share of the events did not exceed (upper end of its step; above 2 s the longest of all);
  /// NaN without events.
  double quantile(double share) const;

  int64_t count() const { return count_; }
  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }

 private:
  static constexpr double kStep = 0.1;
  std::array<int64_t, 20001> bins_{};
  int64_t count_ = 0;
  double sum_ = 0, longest_ = 0;
};

/// Events per second over the last two seconds.
class RateMeter {
 public:
  void tick(double seconds);  ///< `seconds` on any clock that does not fall
  double rate() const;

 private:
  static constexpr double kWindow = 2;
  std::deque<double> times_;
};

}  // namespace fercli
