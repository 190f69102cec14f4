#pragma once

#include <memory>
#include <optional>
#include <string>

#include "live/video/video_source.hpp"

namespace fercli {

/// Which frames of a video count: one in so many, or one every so many seconds of it.
struct Sampling {
  int64_t frames = 1;
  double seconds = 0;  ///< over 0: in place of `frames`

  bool all() const { return frames == 1 && seconds <= 0; }
};

/// "5", every fifth frame, or "0.5s". Throws std::invalid_argument.
Sampling parse_sampling(const std::string& text);

/// "90", "90s", "1:30" or "0:01:30.5" in seconds. Throws std::invalid_argument.
double parse_time(const std::string& text);

/// Goes through the frames of one video.
class Sampler {
 public:
  explicit Sampler(const Sampling& sampling) : sampling_(sampling) {}

  bool is_due(const Frame& frame) const;
  void take(const Frame& frame);  ///< it was one; the next is due later

  /// Takes it if it is due.
  bool takes(const Frame& frame);

 private:
  Sampling sampling_;
  std::optional<int64_t> next_frame_;
  std::optional<double> next_time_;
};

/// What part of a video counts, in its own time (seconds).
struct VideoRange {
  double from = 0;
  std::optional<double> to = {};  ///< where it ends; none: with the video
};

/// The frames of this part, with the numbers and times that they have in the whole video.
std::unique_ptr<VideoSource> part_of(std::unique_ptr<VideoSource> video, const VideoRange& range);

}  // namespace fercli
