#pragma once

#include <torch/types.h>

#include <filesystem>
#include <memory>

namespace fercli {

/// Whether a recording can have this name, by its extension.
bool is_recording_name(const std::filesystem::path& path);

/// What to say otherwise.
inline constexpr const char* kRecordingNames = "a recording must be named .mp4 or .avi";

/// Writes a video file (MPEG-4 in .mp4, Motion-JPEG in .avi) that keeps time: a file has a fixed number of frames a
/// second, so frames that come late are repeated and frames that come too early replace the last. One hour recorded
/// lasts one hour.
class VideoRecorder {
 public:
  /// Links are followed. Throws UserError when the file cannot be written, or this OpenCV has no encoder for its
  /// extension.
  VideoRecorder(const std::filesystem::path& name, int64_t width, int64_t height, double fps);
  ~VideoRecorder();  ///< `finish`, with a warning where that throws

  /// Completes the file, reads it back, and gives it its name. Throws RunError when frames are lost: on a full disk,
  /// the encoder says nothing.
  void finish();

  VideoRecorder(const VideoRecorder&) = delete;
  VideoRecorder& operator=(const VideoRecorder&) = delete;

  /// bgr: uint8 (H,W,3) of the size given; `time` in seconds, not falling. The first frame is the video's start. Throws
  /// RunError once the disk is nearly full, while there is room to complete the file.
  void add(const torch::Tensor& bgr, double time);

  int64_t frames() const;  ///< written so far

 private:
  void require_room() const;

  struct Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace fercli
