#pragma once

#include <array>
#include <cstddef>

#include "core/clock.hpp"

namespace fercli {

/// What a training step does.
enum class StepPart {
  Convolution,     ///< forward
  DataGradient,    ///< of a convolution in its input
  WeightGradient,  ///< and in its weights
  Norm,            ///< BatchNorm, ReLU and shortcuts, both ways
  Optimizer,
  Average  ///< of the weights
};

struct StepTimes {
  std::array<double, static_cast<size_t>(StepPart::Average) + 1> seconds{};

  double& of(StepPart part) { return seconds.at(static_cast<size_t>(part)); }
  double of(StepPart part) const { return seconds.at(static_cast<size_t>(part)); }
};

/// While it lives, what `Timed` measures in this thread is added to `times`.
class StepCount {
 public:
  explicit StepCount(StepTimes& times) { active() = &times; }
  ~StepCount() { active() = nullptr; }
  StepCount(const StepCount&) = delete;
  StepCount& operator=(const StepCount&) = delete;

  static StepTimes*& active() {
    static thread_local StepTimes* times = nullptr;
    return times;
  }
};

/// Times one part of a step, from here to the end of the scope, where somebody counts.
class Timed {
 public:
  explicit Timed(StepPart part) : part_(part) {}
  ~Timed() {
    if (times_ != nullptr) times_->of(part_) += seconds_since(begun_);
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  StepPart part_;
  StepTimes* times_ = StepCount::active();
  Clock::time_point begun_ = Clock::now();
};

}  // namespace fercli
