#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/predict/reading.hpp"
#include "draw/overlay.hpp"
#include "live/video/recorder.hpp"

namespace fercli {

/// Pictures (PNG) and videos (MP4) with boxes, numbers and labels, in a folder, under the names of the originals.
class AnnotatedFiles {
 public:
  using Unwritten = std::function<void(const std::string& why)>;

  /// Each of `files` gets a name of its own: of two pictures of one name from two folders, the second has "-2". A file
  /// that cannot be written under its name goes to `unwritten`, once, and the others go on.
  AnnotatedFiles(std::filesystem::path folder, const std::vector<std::string>& files, Overlay& overlay,
                 Unwritten unwritten);

  /// Readings of one file come one after the other. `fps`: of the video, when it is one. Throws RunError when the
  /// machine gave out.
  void add(const Reading& reading, const Picture& picture, double fps);

  void end_video();  ///< completes the one that is being written

 private:
  void write(const Reading& reading, const torch::Tensor& drawn, double fps);
  void attempt(size_t place, const std::function<void()>& work);

  std::filesystem::path folder_;
  std::vector<std::string> names_;
  Overlay& overlay_;
  Unwritten unwritten_;
  std::unique_ptr<VideoRecorder> recorder_;
  size_t recorded_ = 0;             ///< which file
  std::optional<size_t> given_up_;  ///< the last file that cannot be written
};

}  // namespace fercli
