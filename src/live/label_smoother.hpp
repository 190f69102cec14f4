#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace fercli {

/// How a face's label is kept from flickering.
struct Smoothing {
  double seconds = 0.4;    ///< time constant of the running mean of the probabilities; 0: raw, no hysteresis
  double lead = 0.1;       ///< a new label must lead the shown one by this much …
  int64_t frames = 3;      ///< … for so many frames in a row, or …
  double patience = 0.3;   ///< … for so many seconds, when frames come slowly
  double certainty = 0.4;  ///< under this probability the label is "uncertain"
};

/// Probabilities and label of one face over time.
class LabelSmoother {
 public:
  explicit LabelSmoother(const Smoothing& smoothing) : smoothing_(smoothing) {}

  /// One reading at `time` (seconds). Probabilities in the order of the classes.
  void update(const std::vector<double>& probabilities, double time);

  const std::vector<double>& probabilities() const { return mean_; }
  std::optional<int64_t> label() const;  ///< none: uncertain

 private:
  Smoothing smoothing_;
  std::vector<double> mean_;
  double time_ = 0, challenged_since_ = 0;
  int64_t shown_ = 0, challenger_ = 0, challenges_ = 0;
};

}  // namespace fercli
