#include "eval/campaign/observer.hpp"

#include <fmt/format.h>

namespace fercli {

Observer& Observer::none() {
  static Observer observer;
  return observer;
}

void ProgressObserver::begin(int64_t steps, int64_t done) {
  progress_ = std::make_unique<Progress>(title_, steps, "steps");
  progress_->skip(done);
}

void ProgressObserver::at(const std::string& attack) {
  if (progress_) progress_->note(attack);
}

void ProgressObserver::advance(int64_t worked, int64_t skipped) {
  if (!progress_) return;
  progress_->skip(skipped);
  progress_->advance(worked);
}

void ProgressObserver::resumed(const std::string& file) {
  inform(fmt::format("going on from {}", file));
}

}  // namespace fercli
