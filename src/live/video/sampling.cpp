#include "live/video/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/interrupt.hpp"
#include "core/text.hpp"

namespace fercli {

namespace {

constexpr double kLongest = 1e9;  ///< seconds, about 30 years
constexpr int64_t kMostFrames = 1'000'000'000'000;

double seconds_of(std::string text) {
  if (!text.empty() && text.back() == 's') text.pop_back();
  const double seconds = parse_number(text);
  if (!(seconds >= 0 && seconds <= kLongest)) throw std::invalid_argument("out of range");
  return seconds;
}

class VideoPart : public VideoSource {
 public:
  VideoPart(std::unique_ptr<VideoSource> video, const VideoRange& range) : video_(std::move(video)), range_(range) {}

  bool read(Frame& frame) override {
    while (video_->read(frame)) {
      if (range_.to && frame.time >= *range_.to) return false;
      if (frame.time >= range_.from) return true;
      if (interrupted()) return false;
    }
    return false;
  }

  void stop() override { video_->stop(); }
  std::string name() const override { return video_->name(); }
  double fps() const override { return video_->fps(); }
  bool is_live() const override { return video_->is_live(); }
  bool is_stills() const override { return video_->is_stills(); }

  int64_t length() const override {
    const auto whole = static_cast<double>(video_->length());
    const double end = range_.to ? std::min(whole, std::ceil(*range_.to * fps())) : whole;
    return std::max<int64_t>(0, static_cast<int64_t>(end - std::ceil(range_.from * fps())));
  }

 private:
  std::unique_ptr<VideoSource> video_;
  VideoRange range_;
};

}  // namespace

Sampling parse_sampling(const std::string& text) {
  Sampling sampling;
  if (!text.empty() && text.back() == 's') {
    sampling.seconds = seconds_of(text);
    if (sampling.seconds <= 0) throw std::invalid_argument("must be over 0");
  } else {
    sampling.frames = parse_integer(text);
    if (sampling.frames < 1 || sampling.frames > kMostFrames) throw std::invalid_argument("out of range");
  }
  return sampling;
}

double parse_time(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.empty() || parts.size() > 3) throw std::invalid_argument("must be seconds or [H:]MM:SS");
  double seconds = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double part = i + 1 == parts.size() ? seconds_of(parts[i]) : static_cast<double>(parse_integer(parts[i]));
    if (part < 0 || (i > 0 && part >= 60)) throw std::invalid_argument("must be seconds or [H:]MM:SS");
    seconds = 60 * seconds + part;
  }
  if (seconds > kLongest) throw std::invalid_argument("out of range");
  return seconds;
}

bool Sampler::is_due(const Frame& frame) const {
  if (sampling_.seconds > 0) return !next_time_ || frame.time >= *next_time_ - 1e-9;
  return !next_frame_ || frame.number >= *next_frame_;
}

void Sampler::take(const Frame& frame) {
  next_frame_ = frame.number + sampling_.frames;
  next_time_ = next_time_.value_or(frame.time) + sampling_.seconds;
  if (*next_time_ <= frame.time) next_time_ = frame.time + sampling_.seconds;
}

bool Sampler::takes(const Frame& frame) {
  if (!is_due(frame)) return false;
  take(frame);
  return true;
}

std::unique_ptr<VideoSource> part_of(std::unique_ptr<VideoSource> video, const VideoRange& range) {
  if (range.from <= 0 && !range.to) return video;
  return std::make_unique<VideoPart>(std::move(video), range);
}

}  // namespace fercli
