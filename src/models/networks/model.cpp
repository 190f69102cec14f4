#include "models/networks/model.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace fercli {

std::shared_ptr<const Executor> Model::executor(const Execution& execution) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [known, executor] : ready_) {
    if (known.precision == execution.precision && known.device == execution.device &&
        known.executor == execution.executor)
      return executor;
  }
  ready_.emplace_back(execution, make_executor(execution));
  return ready_.back().second;
}

bool Model::supports(const Execution& execution) const {
  return find_executor(*this, execution) != nullptr;
}

std::shared_ptr<const Executor> Model::make_executor(const Execution& execution) const {
  if (const auto* entry = find_executor(*this, execution)) return entry->make(*this, execution);
  std::vector<std::string> suitable;
  for (const auto& entry : Registry<ExecutorEntry>::instance().all()) {
    if (entry.suits(*this, execution)) suitable.push_back(entry.name);
  }
  const auto how = fmt::format("{} on {}", to_string(execution.precision), execution.device.str());
  if (suitable.empty()) throw UserError(fmt::format("no executor runs this network in {}", how));
  throw UserError(fmt::format("--executor {}: does not run this network in {}; must be one of auto, {}",
                              execution.executor, how, join(suitable, ", ")));
}

}  // namespace fercli
