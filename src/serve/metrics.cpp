#include "serve/metrics.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace fercli {

namespace {

std::string heading(const std::string& name, const std::string& kind, const std::string& help) {
  return fmt::format("# HELP fercli_{} {}\n# TYPE fercli_{} {}\n", name, help, name, kind);
}

}  // namespace

void ServerMetrics::count_request(const std::string& path, int status, double seconds) {
  const std::lock_guard lock(mutex_);
  ++requests_[{path, status}];
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++durations_[static_cast<size_t>(bound - kBounds.begin())];
  seconds_ += seconds;
}

void ServerMetrics::count_undelivered() {
  const std::lock_guard lock(mutex_);
  ++undelivered_;
}

void ServerMetrics::count_faces(size_t faces) {
  const std::lock_guard lock(mutex_);
  faces_ += static_cast<int64_t>(faces);
}

void ServerMetrics::count_attack(bool success) {
  const std::lock_guard lock(mutex_);
  ++attacks_;
  attack_successes_ += success;
}

std::string ServerMetrics::text(const std::map<std::string, double>& gauges) const {
  const std::lock_guard lock(mutex_);
  std::string out = heading("requests_total", "counter", "Answers that were sent whole, by path and status.");
  for (const auto& [key, count] : requests_) {
    out += fmt::format("fercli_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, count);
  }
  out += heading("undelivered_total", "counter", "Answers that could not be sent whole.") +
         fmt::format("fercli_undelivered_total {}\n", undelivered_);
  out += heading("request_seconds", "histogram", "Time from the complete request to the end of its answer.");
  int64_t sum = 0;
  for (size_t i = 0; i < durations_.size(); ++i) {
    sum += durations_[i];
    const std::string bound = i < kBounds.size() ? fmt::format("{:g}", kBounds[i]) : "+Inf";
    out += fmt::format("fercli_request_seconds_bucket{{le=\"{}\"}} {}\n", bound, sum);
  }
  out += fmt::format("fercli_request_seconds_sum {:.6f}\nfercli_request_seconds_count {}\n", seconds_, sum);
  out += heading("faces_total", "counter", "Faces read.") + fmt::format("fercli_faces_total {}\n", faces_);
  out += heading("attacks_total", "counter", "Faces attacked.") + fmt::format("fercli_attacks_total {}\n", attacks_);
  out += heading("attack_successes_total", "counter", "Attacks that reached their goal.") +
         fmt::format("fercli_attack_successes_total {}\n", attack_successes_);
  for (const auto& [name, value] : gauges) {
    out += heading(name, "gauge", "Value now.") + fmt::format("fercli_{} {:.0f}\n", name, value);
  }
  return out;
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return file ? pages * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace fercli
