#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "core/clock.hpp"

namespace fercli {

/// Token buckets, one per address: `rate` requests a second, twice as many in a burst. Any number of threads.
class RateLimiter {
 public:
  explicit RateLimiter(double rate) : rate_(rate) {}  ///< 0: without limit

  bool allows(const std::string& address) {
    if (rate_ <= 0) return true;
    const std::lock_guard lock(mutex_);
    if (buckets_.size() >= kMostAddresses) buckets_.clear();
    const auto now = Clock::now();
    const double most = std::max(1.0, 2 * rate_);
    Bucket& bucket = buckets_.try_emplace(address, Bucket{most, now}).first->second;
    const double passed = std::chrono::duration<double>(now - bucket.time).count();
    bucket = {std::min(most, bucket.tokens + passed * rate_), now};
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  static constexpr size_t kMostAddresses = 10000;  ///< remembered

  struct Bucket {
    double tokens;
    Clock::time_point time;
  };
  double rate_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace fercli
