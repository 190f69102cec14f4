#pragma once

#include <filesystem>
#include <optional>

#include "core/clock.hpp"
#include "eval/campaign/ledger.hpp"

namespace fercli {

/// Keeps an unfinished ledger in a file: at most every few seconds, and less often where saving takes more than a
/// twentieth of the time. Without a file it does nothing.
class LedgerSaver {
 public:
  explicit LedgerSaver(std::optional<std::filesystem::path> file) : file_(std::move(file)) {}

  void save(const Ledger& ledger) {
    const auto start = Clock::now();
    if (file_) ledger.save(*file_);
    pause_ = std::max(kSeconds, kPays * seconds_since(start));
    saved_ = Clock::now();
  }

  void save_when_due(const Ledger& ledger) {
    if (seconds_since(saved_) > pause_) save(ledger);
  }

 private:
  static constexpr double kSeconds = 4, kPays = 20;

  std::optional<std::filesystem::path> file_;
  Clock::time_point saved_ = Clock::now();
  double pause_ = kSeconds;
};

}  // namespace fercli
