#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "draw/overlay.hpp"

namespace fercli {

/// Which emotion each face showed when: stretches of equal labels. The memory is bounded: beyond kMostStretches the
/// oldest stretches are forgotten (an hour of video with a change every second keeps them all), but for their seconds.
class Timeline {
 public:
  static constexpr size_t kMostStretches = 20000;

  struct Stretch {
    int64_t id;
    std::optional<int64_t> label;  ///< none: uncertain
    double from, to;               ///< seconds
  };

  /// The face was seen at `time` with this label.
  void add(int64_t id, std::optional<int64_t> label, double time);

  const std::deque<Stretch>& stretches() const { return stretches_; }
  double end() const { return end_; }

  /// Seconds for which a face showed each class, over all faces; the last entry is "uncertain".
  std::vector<double> seconds_per_class(int64_t classes) const;

  /// Draws the last `seconds` as one row per face into this rectangle, newest faces last, at most as many as fit.
  void draw_strip(const torch::Tensor& bgr, Overlay& overlay, int left, int top, int width, int height,
                  double seconds) const;

  /// The whole session as a picture with an axis and a legend: uint8 (H,W,3), blue first.
  torch::Tensor draw_session(Overlay& overlay, const std::string& title) const;

 private:
  std::deque<Stretch> stretches_;
  std::map<int64_t, size_t> open_;  ///< face -> number of its last stretch, counted from the first ever
  size_t forgotten_ = 0;
  std::map<std::optional<int64_t>, double> forgotten_seconds_;  ///< of each label
  double end_ = 0;
};

}  // namespace fercli
