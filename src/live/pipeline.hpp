#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "faces/face_reader.hpp"
#include "faces/head_pose.hpp"
#include "live/face_follower.hpp"
#include "live/label_smoother.hpp"
#include "live/live_attack.hpp"
#include "live/statistics.hpp"
#include "live/video/video_source.hpp"

namespace fercli {

/// What happens to frames that arrive while the last one is being worked on.
enum class Pace {
  RealTime,   ///< frames keep to their times; the newest wins, the others are dropped
  EveryFrame  ///< the source waits: every frame is worked on
};

/// One followed face in one frame.
struct LiveFace {
  int64_t id = 0;
  FaceReading reading;                ///< of this frame alone
  std::vector<double> smoothed;       ///< running mean of the probabilities
  std::optional<int64_t> label;       ///< with hysteresis; none: uncertain
  std::optional<double> score = {};   ///< of the detector, where it gives one and found the face in this frame
  std::optional<HeadPose> pose = {};  ///< where PipelineSettings asks for it, likewise
};

/// Which regions of a face the verdicts hang on (`region_map`), each for the class that its network sees.
struct Explanation {
  int64_t id = 0;            ///< of the face
  torch::Tensor crop;        ///< uint8 (C,S,S): what was looked at
  std::vector<double> seen;  ///< probabilities
  torch::Tensor regions;
  std::vector<double> robust_seen;  ///< of the defending network; empty without one
  torch::Tensor robust_regions;
};

/// A frame and everything that was found in this very frame.
struct AnalysedFrame {
  Frame frame;
  std::vector<LiveFace> faces;  ///< by id
  std::vector<PerturbedFace> perturbed;
  std::optional<Explanation> explanation;  ///< of the largest face, at most half a second old
  bool attacked = false;                   ///< the attack view was on
  LiveAttackTally tally;
  double find_ms = 0, read_ms = 0, attack_ms = 0;  ///< detection; network; attack; 0: it was not called
  double latency_ms = 0;                           ///< from the frame's arrival to its labels
  std::string detector;
  double eps = 0;
};

/// Counters of a running pipeline.
struct PipelineStatus {
  int64_t captured = 0, analysed = 0, dropped = 0;
  int64_t waiting = 0;  ///< frames between capture and analysis: 0 or 1
  double fps = 0;       ///< analysed frames a second, over the last two seconds
  double latency_p50 = 0, latency_p95 = 0;
};

struct PipelineSettings {
  Pace pace = Pace::RealTime;
  Smoothing smoothing;
  double max_seconds = 0;  ///< of the video, from its first frame; 0: to its end
  int64_t max_frames = 0;  ///< analysed; 0: all
  bool mirror = false;
  bool explain = false;
  bool pose = false;  ///< tell how heads are turned
  bool hold = false;  ///< of stills, the last one stays, and is worked on again and again
  Runtime runtime;    ///< threads of the network
};

/// Capture and inference in threads of their own; the caller draws. Between capture and inference there is one place,
/// in which the newest frame wins; a result is handed over before the next frame is begun, so nothing piles up. The
/// memory does not grow with the video.
class LivePipeline {
 public:
  /// The first of `detectors` is used at first. `attack` may be null. The classifier must outlive the pipeline.
  LivePipeline(std::unique_ptr<VideoSource> source, std::vector<std::shared_ptr<FaceDetector>> detectors,
               const Classifier& classifier, std::unique_ptr<LiveAttack> attack, const PipelineSettings& settings);
  ~LivePipeline();  ///< stops the threads
  LivePipeline(const LivePipeline&) = delete;
  LivePipeline& operator=(const LivePipeline&) = delete;

  /// The next analysed frame, or nothing if none came within `seconds`. Rethrows what stopped a thread.
  std::optional<AnalysedFrame> next(double seconds);
  bool finished() const;  ///< the video has ended and `next` has given out its last frame

  PipelineStatus status() const;
  int64_t faces_seen() const;  ///< numbers given to faces so far
  const VideoSource& source() const;

  // Switches, to be turned while it runs.
  void pause(bool on);
  void mirror(bool on);
  void next_detector();
  void attack(bool on);
  void explain(bool on);
  void set_eps(double eps);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fercli
