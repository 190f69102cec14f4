#pragma once

#include <memory>
#include <string>

#include "live/video/video_source.hpp"

namespace fercli {

/// "synthetic" or "synthetic:…".
bool is_synthetic_video(const std::string& word);

/// Drawn people in front of a camera: they sway, and every three seconds each of them changes expression. Equal options
/// give equal frames. Throws UserError on a wrong option. See `open_video`.
std::unique_ptr<VideoSource> open_synthetic_video(const std::string& word);

/// The emotion that person 0, 1, … of this video shows at `time`.
std::string synthetic_emotion(int64_t person, double time);

}  // namespace fercli
