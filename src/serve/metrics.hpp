#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace fercli {

/// What the server has done, for Prometheus. All calls from any thread. The number of series is bounded: paths the
/// server does not know are counted as one.
class ServerMetrics {
 public:
  void count_request(const std::string& path, int status, double seconds);  ///< an answer that was sent whole
  void count_undelivered();  ///< one that was not: the client had gone, or took too long to take it
  void count_faces(size_t faces);
  void count_attack(bool success);

  /// The text format of Prometheus, version 0.0.4. `gauges`: name without "fercli_" -> value now.
  std::string text(const std::map<std::string, double>& gauges) const;

 private:
  static constexpr std::array<double, 9> kBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5};  ///< seconds

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;
  std::array<int64_t, kBounds.size() + 1> durations_{};
  double seconds_ = 0;
  int64_t undelivered_ = 0, faces_ = 0, attacks_ = 0, attack_successes_ = 0;
};

/// Bytes of memory that this process occupies; 0 where the system does not say.
double resident_bytes();

}  // namespace fercli
