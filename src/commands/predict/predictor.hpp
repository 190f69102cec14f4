#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "commands/predict/reading.hpp"
#include "faces/face_reader.hpp"
#include "live/video/sampling.hpp"

namespace fercli {

struct PredictorSettings {
  Detect detect = Detect::Auto;
  std::string detector;
  DetectorSettings faces;
  Sampling every;    ///< of videos
  VideoRange range;  ///< likewise
  int64_t batch_size = 64;
};

/// Finds faces picture by picture, follows those of videos, and reads them in batches that may span pictures. The
/// memory does not grow with a video's length.
class Predictor {
 public:
  /// Takes what was seen, in order, with the picture.
  using Sink = std::function<void(const Reading& reading, const Picture& picture)>;

  /// The classifier must outlive this object.
  Predictor(const PredictorSettings& settings, const Classifier& classifier, Sink sink);

  /// A picture, or a video frame by frame: the file number `place`. Throws UserError when it cannot be read,
  /// Interrupted. `begin` learns how many frames a video promises (0: unknown), and `frame` of each that was read.
  void read(size_t place, const std::string& file, const std::function<void(const VideoSource&)>& begin,
            const std::function<void()>& frame);

  void flush();  ///< hands out what is waiting

 private:
  static constexpr size_t kMostWaiting = 32;                 ///< pictures kept in memory
  static constexpr int64_t kMostWaitingPixels = 70'000'000;  ///< of them all, at four bytes: 32 frames of 1920x1080

  struct Waiting {
    Reading reading;
    Picture picture;
    torch::Tensor crops;  ///< uint8 (N,C,S,S)
  };

  void add(Reading reading, const Picture& picture, const std::vector<Detection>& faces,
           const std::vector<int64_t>& numbers, bool searched);
  void add_still(Reading reading, const Picture& picture);

  PredictorSettings settings_;
  const Classifier& classifier_;
  Sink sink_;
  std::shared_ptr<FaceDetector> detector_;
  EyeFinder eyes_;
  std::vector<Waiting> waiting_;
  int64_t waiting_faces_ = 0, waiting_pixels_ = 0;
};

}  // namespace fercli
