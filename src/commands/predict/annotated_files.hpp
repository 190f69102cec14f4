#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands/predict/reading.hpp"
#include "draw/overlay.hpp"
#include "live/video/recorder.hpp"

namespace fercli {

/// Pictures (PNG) and videos (MP4) with boxes, numbers and labels, in a folder, under the names of the originals.
class AnnotatedFiles {
 public:
  /// Each of `files` gets a name of its own: of two pictures of one name from two folders, the second has "-2".
  AnnotatedFiles(std::filesystem::path folder, const std::vector<std::string>& files, Overlay& overlay);

  /// Readings of one file come one after the other. `fps`: of the video, when it is one.
  void add(const Reading& reading, const Picture& picture, double fps);

  void end_video();  ///< completes the one that is being written

 private:
  std::filesystem::path folder_;
  std::vector<std::string> names_;
  Overlay& overlay_;
  std::unique_ptr<VideoRecorder> recorder_;
  size_t recorded_ = 0;  ///< which file
};

}  // namespace fercli
