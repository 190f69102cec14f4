#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "models/networks/executor.hpp"

namespace fercli {

class Network;

/// Where a Classifier gets its arithmetic from: one of the program's architectures with weights, or a graph read from a
/// foreign file.
class Model {
 public:
  virtual ~Model() = default;

  /// Made when it is first asked for, and kept: a search in bfloat16 asks for its float32 judge at every run. Throws
  /// UserError when the model cannot run so.
  std::shared_ptr<const Executor> executor(const Execution& execution = {}) const;

  /// A Classifier asked for another arithmetic that is not supported works in float32 and says so.
  virtual bool supports(const Execution& execution) const;

  /// The trainable network behind it; null for an imported graph.
  virtual std::shared_ptr<Network> network() const { return nullptr; }

 protected:
  /// By the registry of executors, unless a model has one of its own.
  virtual std::shared_ptr<const Executor> make_executor(const Execution& execution) const;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<Execution, std::shared_ptr<const Executor>>> ready_;
};

}  // namespace fercli
