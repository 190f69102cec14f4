#include "core/observer.hpp"

#include <fmt/format.h>

namespace fercli {

Observer& Observer::none() {
  static Observer observer;
  return observer;
}

void ProgressObserver::begin(const Work& work) {
  lines_.push_back(std::make_unique<Progress>(work.doing.empty() ? title_ : work.doing, work.total, work.unit));
  lines_.back()->skip(work.done);
}

void ProgressObserver::at(const std::string& what) {
  if (!lines_.empty()) lines_.back()->note(what);
}

void ProgressObserver::advance(int64_t worked, int64_t skipped) {
  if (lines_.empty()) return;
  lines_.back()->skip(skipped);
  lines_.back()->advance(worked);
}

void ProgressObserver::resumed(const std::string& file) {
  inform(fmt::format("going on from {}", file));
}

ProgressObserver& ProgressObserver::terminal() {
  static ProgressObserver observer;
  return observer;
}

}  // namespace fercli
