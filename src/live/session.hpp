#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/output_folder.hpp"
#include "live/screen/hud.hpp"
#include "live/screen/timeline.hpp"
#include "live/session_log.hpp"
#include "live/video/recorder.hpp"
#include "live/video/sampling.hpp"

namespace fercli {

/// The video in the folder of exported faces.
inline constexpr const char* kInputVideo = "input_video.mp4";

/// What a session leaves behind.
struct SessionOutputs {
  std::string record;            ///< video of the frames as they came
  std::string record_annotated;  ///< video of what the window shows
  std::string csv, jsonl;        ///< "-" is standard output
  std::string faces;             ///< folder for image0.png …, and input_video.mp4
  Sampling every{1, 1};          ///< frames of which a face is exported
  Sampling logged;               ///< frames that `csv` and `jsonl` have
  std::string folder;            ///< session.json and timeline.png
};

struct SessionLatency {
  double p50 = 0, p95 = 0;  ///< milliseconds
  int64_t n = 0;
};

/// session.json.
struct SessionSummary {
  std::string source;
  double seconds = 0;
  PipelineStatus frames;
  SessionLatency latency_ms;
  int64_t faces = 0;
  std::map<std::string, double> seconds_per_emotion = {};
  std::optional<LiveAttackTally> attack = {};
};

/// A file's name that was free, held by an empty file until what is written takes its place: no other fercli takes it.
class TakenName {
 public:
  /// The first of stem1.ext, stem2.ext, … that does not exist. Throws as `throw_write_error`.
  TakenName(const std::string& stem, const std::string& extension);
  ~TakenName();  ///< gives the name back where nothing was written
  TakenName(const TakenName&) = delete;
  TakenName& operator=(const TakenName&) = delete;

  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

/// Takes the analysed frames of a pipeline, one after the other, and keeps everything that was asked for.
class Session {
 public:
  Session(SessionOutputs outputs, LabelSet classes, double fps);

  void add(const AnalysedFrame& frame);

  /// What the window showed; kept when an annotated recording is on.
  void add_shown(const torch::Tensor& bgr, double time);

  /// Whether `add_shown` would keep the picture.
  bool wants_shown() const { return !outputs_.record_annotated.empty() || live_recorder_ != nullptr; }

  /// `r`: starts or ends a recording of what is shown; returns its name, or "" when it ended, or cannot be made, which
  /// is said.
  std::string toggle_recording();
  bool recording() const { return live_recorder_ != nullptr || recording_wanted_; }

  /// `s`: the picture shown and the crops that the network saw; returns the picture's name, or "" where they cannot be
  /// saved, which is said.
  std::string snapshot(const torch::Tensor& shown, const AnalysedFrame& frame);

  /// Completes the files; session.json and timeline.png. Does all that can be done, then throws RunError that says what
  /// is lost.
  void finish(const PipelineStatus& status, int64_t faces, Overlay& overlay, const std::string& source);

  /// Frames, rates, latencies, faces, and seconds per emotion.
  SessionSummary summary(const PipelineStatus& status, int64_t faces, const std::string& source) const;

  const Timeline& timeline() const { return timeline_; }

 private:
  void export_face(const AnalysedFrame& frame);
  void keep_clean(std::unique_ptr<VideoRecorder>& recorder, const std::string& path, const AnalysedFrame& frame);

  void attempt(const std::function<void()>& work);
  void end_recording(std::unique_ptr<VideoRecorder>& recorder);

  SessionOutputs outputs_;
  std::shared_ptr<OutputFolder> folder_, faces_;  ///< one where both are the same folder
  std::vector<OutputLock> locks_;                 ///< of the single files
  std::vector<std::string> lost_;                 ///< what could not be written, in sentences
  LabelSet classes_;
  double fps_;
  std::vector<std::unique_ptr<SessionLog>> logs_;
  std::unique_ptr<TakenName> live_name_;  ///< of `live_recorder_`, before it: it is given back after the recorder's end
  std::unique_ptr<VideoRecorder> clean_, input_, annotated_, live_recorder_;
  bool recording_wanted_ = false;
  Timeline timeline_;
  LiveAttackTally tally_;
  Sampler exports_, logged_;
  std::optional<double> start_;  ///< the first frame's time
  double seconds_ = 0;           ///< from there to the last frame
  int64_t exported_ = 0;
};

/// The course's line of a frame: "11:11:11s : Happy , 73%"; of its largest face. `clock`: seconds of the day.
std::string course_line(const AnalysedFrame& frame, const LabelSet& classes, int64_t clock);

}  // namespace fercli
