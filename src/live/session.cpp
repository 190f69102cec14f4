#include "live/session.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/reason.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result_shapes.hpp"
#include "record/document_kind.hpp"
#include "record/fields.hpp"

namespace fercli {

namespace {

namespace fs = std::filesystem;

const LiveFace* largest_face(const AnalysedFrame& frame) {
  const LiveFace* best = nullptr;
  for (const auto& face : frame.faces) {
    if (best == nullptr || face.reading.box.area() > best->reading.box.area()) best = &face;
  }
  return best;
}

/// What a key asks for that cannot be saved is said, and the session goes on. Returns whether it was saved.
bool saved_or_warned(const std::function<void()>& save) {
  try {
    save();
    return true;
  } catch (const std::runtime_error& error) {
    warn(reason_of(error));
    return false;
  }
}

}  // namespace

TakenName::TakenName(const std::string& stem, const std::string& extension) {
  for (int64_t i = 1;; ++i) {
    name_ = fmt::format("{}{}{}", stem, i, extension);
    if (std::FILE* file = std::fopen(name_.c_str(), "wxe")) {
      std::fclose(file);
      return;
    }
    if (errno != EEXIST) throw_write_error(name_, errno);
  }
}

TakenName::~TakenName() {
  std::error_code error;
  if (fs::is_empty(name_, error) && !error) fs::remove(name_, error);
}

std::string course_line(const AnalysedFrame& frame, const LabelSet& classes, int64_t clock) {
  const std::string time = fmt::format("{:02}:{:02}:{:02}s", clock / 3600 % 24, clock / 60 % 60, clock % 60);
  const LiveFace* face = largest_face(frame);
  if (face == nullptr) return time + " : no face";
  const int64_t shown = face->label.value_or(top_of(face->smoothed));
  return fmt::format("{} : {} , {:.0f}%", time, classes.name(shown), 100 * face->smoothed[static_cast<size_t>(shown)]);
}

Session::Session(SessionOutputs outputs, LabelSet classes, double fps)
    : outputs_(std::move(outputs)),
      classes_(std::move(classes)),
      fps_(fps),
      exports_(outputs_.every),
      logged_(outputs_.logged) {
  for (const auto& file : {outputs_.csv, outputs_.jsonl, outputs_.record, outputs_.record_annotated}) {
    if (!file.empty() && file != "-") locks_.push_back(OutputLock::of_file(file));
  }
  constexpr auto kKept = OutputFolder::Leftovers::Kept;
  if (!outputs_.folder.empty()) folder_ = std::make_shared<OutputFolder>(outputs_.folder, "live", kKept);
  std::error_code error;
  if (folder_ && !outputs_.faces.empty() && fs::equivalent(outputs_.folder, outputs_.faces, error)) {
    faces_ = folder_;
  } else if (!outputs_.faces.empty()) {
    faces_ = std::make_shared<OutputFolder>(outputs_.faces, "live", kKept);
  }
  // Last, since it empties the files: what is refused has cost nothing.
  if (!outputs_.csv.empty()) logs_.push_back(std::make_unique<SessionLog>(outputs_.csv, LogFormat::Csv, classes_));
  if (!outputs_.jsonl.empty()) {
    logs_.push_back(std::make_unique<SessionLog>(outputs_.jsonl, LogFormat::JsonLines, classes_));
  }
}

/// One output that fails takes no other with it.
void Session::attempt(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::runtime_error& error) {
    lost_.push_back(reason_of(error));
  }
}

void Session::end_recording(std::unique_ptr<VideoRecorder>& recorder) {
  if (recorder) attempt([&] { recorder->finish(); });
  recorder.reset();
}

void Session::keep_clean(std::unique_ptr<VideoRecorder>& recorder, const std::string& path,
                         const AnalysedFrame& frame) {
  const auto& pixels = frame.frame.bgr;
  if (!recorder) recorder = std::make_unique<VideoRecorder>(path, pixels.size(1), pixels.size(0), fps_);
  recorder->add(pixels, frame.frame.time);
}

/// The largest face at the time due; without one, the next frame's.
void Session::export_face(const AnalysedFrame& frame) {
  keep_clean(input_, (faces_->work() / kInputVideo).string(), frame);
  const LiveFace* face = largest_face(frame);
  if (face == nullptr || !exports_.is_due(frame.frame)) return;
  const auto grey = convert_channels(face->reading.crop, 1);
  write_png(grey, faces_->work() / fmt::format("image{}.png", exported_++));
  exports_.take(frame.frame);
}

void Session::add(const AnalysedFrame& frame) {
  if (!start_) start_ = frame.frame.time;
  seconds_ = frame.frame.time - *start_;
  const bool is_logged = logged_.takes(frame.frame);
  for (const auto& log : logs_) {
    if (is_logged) log->add(frame);
  }
  for (const auto& face : frame.faces) timeline_.add(face.id, face.label, frame.frame.time);
  if (frame.attacked) tally_ = frame.tally;
  if (!outputs_.record.empty()) keep_clean(clean_, outputs_.record, frame);
  if (!outputs_.faces.empty()) export_face(frame);
}

void Session::add_shown(const torch::Tensor& bgr, double time) {
  if (!outputs_.record_annotated.empty()) {
    if (!annotated_) {
      annotated_ = std::make_unique<VideoRecorder>(outputs_.record_annotated, bgr.size(1), bgr.size(0), fps_);
    }
    annotated_->add(bgr, time);
  }
  const bool goes_on = saved_or_warned([&] {
    if (recording_wanted_ && !live_recorder_) {
      live_recorder_ = std::make_unique<VideoRecorder>(live_name_->name(), bgr.size(1), bgr.size(0), fps_);
    }
    if (live_recorder_) live_recorder_->add(bgr, time);
  });
  recording_wanted_ = false;
  if (goes_on) return;
  end_recording(live_recorder_);
  live_name_.reset();
}

std::string Session::toggle_recording() {
  if (recording()) {
    end_recording(live_recorder_);
    live_name_.reset();
    if (!lost_.empty()) warn(lost_.back());
    recording_wanted_ = false;
    return "";
  }
  recording_wanted_ = saved_or_warned([&] { live_name_ = std::make_unique<TakenName>("fercli-recording", ".mp4"); });
  return recording_wanted_ ? live_name_->name() : "";
}

std::string Session::snapshot(const torch::Tensor& shown, const AnalysedFrame& frame) {
  std::string name;
  const bool saved = saved_or_warned([&] {
    const TakenName taken("fercli-snapshot", ".png");
    name = taken.name();
    write_png(image_of_bgr(shown), name);
    for (const auto& face : frame.faces) {
      write_png(face.reading.crop, fs::path(name).stem().string() + fmt::format("-face{}.png", face.id));
    }
  });
  return saved ? name : "";
}

SessionSummary Session::summary(const PipelineStatus& status, int64_t faces, const std::string& source) const {
  SessionSummary found{source, seconds_, status, {status.latency_p50, status.latency_p95, status.analysed}, faces};
  const auto seconds = timeline_.seconds_per_class(classes_.size());
  for (int64_t k = 0; k < classes_.size(); ++k)
    found.seconds_per_emotion[classes_.name(k)] = seconds[static_cast<size_t>(k)];
  found.seconds_per_emotion["uncertain"] = seconds.back();
  if (tally_.faces > 0) found.attack = tally_;
  return found;
}

template <class Visitor>
void visit_fields(Visitor& field, PipelineStatus& status) {
  field("captured", status.captured);
  field("analysed", status.analysed);
  field("dropped", status.dropped);
}

template <class Visitor>
void visit_fields(Visitor& field, SessionLatency& latency) {
  field("p50", latency.p50);
  field("p95", latency.p95);
  field("n", latency.n);
}

template <class Visitor>
void visit_fields(Visitor& field, LiveAttackTally& tally) {
  field("success", proportion(tally.successes, tally.faces));
  field("forward", tally.forward);
  field("backward", tally.backward);
}

template <class Visitor>
void visit_fields(Visitor& field, SessionSummary& summary) {
  field.constant("schema", "fercli-live/1", "of this document");
  field("source", summary.source);
  field("seconds", summary.seconds);
  field("frames", summary.frames);
  field("latency_ms", summary.latency_ms);
  field("faces", summary.faces, "tracks");
  field("seconds_per_emotion", summary.seconds_per_emotion, "and uncertain");
  field.optional("attack", summary.attack, "");
}

namespace {

const Register<DocumentKind> session_document{{"session", "session.json of live", schema_of_record<SessionSummary>}};

}  // namespace

void Session::finish(const PipelineStatus& status, int64_t faces, Overlay& overlay, const std::string& source) {
  for (auto* recorder : {&clean_, &input_, &annotated_, &live_recorder_}) end_recording(*recorder);
  live_name_.reset();
  for (const auto& log : logs_) attempt([&] { log->close(); });
  logs_.clear();
  if (folder_) {
    attempt([&] {
      const nlohmann::json found = write_record(summary(status, faces, source));
      write_file(folder_->work() / "session.json", pretty_json(found) + "\n");
      const std::string title =
          fmt::format("{}  {}", overlay.say("Emotions over time", "Émotions au fil du temps"), source);
      write_png(image_of_bgr(timeline_.draw_session(overlay, title)), folder_->work() / "timeline.png");
    });
  }
  for (const auto& folder : {faces_, folder_ == faces_ ? nullptr : folder_}) {
    if (folder) attempt([&] { folder->complete(); });
  }
  folder_.reset();
  faces_.reset();
  if (lost_.empty()) return;
  const std::string sentences = join(lost_, "; ");
  lost_.clear();
  throw RunError(sentences);
}

}  // namespace fercli
