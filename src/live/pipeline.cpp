#include "live/pipeline.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "faces/region_map.hpp"
#include "live/steady_memory.hpp"

namespace fercli {

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

/// How far a face's last box holds back its new one, while smoothing is on.
constexpr double kSteadyBox = 0.5;
constexpr double kExplanationAge = 0.5;  ///< seconds
constexpr auto kNap = std::chrono::milliseconds(20);
constexpr auto kHeld = std::chrono::milliseconds(200);  ///< between two looks at a still that stays

double milliseconds_since(Clock::time_point start) {
  return Milliseconds(Clock::now() - start).count();
}

/// One place between two threads.
template <class T>
class Slot {
 public:
  /// Puts a value in, in place of one that nobody took: then returns true.
  bool replace(T value) {
    const std::lock_guard lock(mutex_);
    const bool replaced = value_.has_value();
    value_ = std::move(value);
    changed_.notify_all();
    return replaced;
  }

  /// Waits until the place is free. False when closed.
  bool put(T value) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !value_ || closed_; });
    if (closed_) return false;
    value_ = std::move(value);
    changed_.notify_all();
    return true;
  }

  /// Waits for a value; none when the time is up, or when closed and empty.
  std::optional<T> take(std::chrono::duration<double> patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return value_ || closed_; });
    std::optional<T> value;
    value.swap(value_);
    changed_.notify_all();
    return value;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  bool closed_and_empty() const {
    const std::lock_guard lock(mutex_);
    return closed_ && !value_;
  }

  int64_t waiting() const {
    const std::lock_guard lock(mutex_);
    return value_ ? 1 : 0;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<T> value_;
  bool closed_ = false;
};

struct Captured {
  Frame frame;
  Clock::time_point arrival;
};

}  // namespace

struct LivePipeline::State {
  State(std::unique_ptr<VideoSource> video, std::vector<std::shared_ptr<FaceDetector>> all_detectors,
        const Classifier& network, std::unique_ptr<LiveAttack> view, const PipelineSettings& given)
      : source(std::move(video)),
        detectors(std::move(all_detectors)),
        classifier(network),
        live_attack(std::move(view)),
        settings(given),
        follower(detectors.at(0), {given.smoothing.seconds > 0 ? kSteadyBox : 0}),
        mirrored(given.mirror),
        explaining(given.explain) {}

  ~State();

  void capture();
  bool hand_on(const Frame& frame);
  void wait_for_its_time(double time);
  bool out_of_time() const;
  void analyse();
  AnalysedFrame analyse_one(Captured captured);
  std::vector<LiveFace> read(const Picture& picture, const std::vector<Track>& tracks, double time);
  void read_still(const Picture& picture, AnalysedFrame& out);
  void describe(const Detection& found, const Picture& picture, LiveFace& face);
  void perturb(AnalysedFrame& out);
  void explain(AnalysedFrame& out);
  void fail();

  std::unique_ptr<VideoSource> source;
  std::vector<std::shared_ptr<FaceDetector>> detectors;
  const Classifier& classifier;
  std::unique_ptr<LiveAttack> live_attack;
  PipelineSettings settings;
  FaceFollower follower;
  EyeFinder eyes;
  std::map<int64_t, LabelSmoother> smoothers;
  std::optional<Explanation> explanation;  ///< the last one, made at this time of the video
  double explained_at = 0;
  int64_t looked_at = -1;                ///< the last frame's number
  int64_t still = -1, faces_before = 0;  ///< which still is worked on, and the faces of those before it

  Slot<Captured> captured_frames;
  Slot<AnalysedFrame> analysed_frames;
  std::atomic<bool> stopping{false}, paused{false}, mirrored, attacking{false}, explaining;
  std::atomic<size_t> detector{0};
  std::atomic<double> eps{0};
  std::atomic<int64_t> captured{0}, dropped{0}, analysed{0}, born{0};
  mutable std::mutex mutex;  ///< of the next three
  LatencyHistogram latencies;
  RateMeter meter;
  std::exception_ptr failure;
  const Clock::time_point start = Clock::now();
  std::optional<Clock::time_point> first_frame;
  std::optional<double> first_time;  ///< of that frame in the video
  std::chrono::duration<double> paused_for{0};
  std::thread capture_thread, analysis_thread;
};

/// Also where the second thread could not be had.
LivePipeline::State::~State() {
  stopping = true;
  source->stop();
  captured_frames.close();
  analysed_frames.close();
  for (std::thread* each : {&capture_thread, &analysis_thread}) {
    if (each->joinable()) each->join();
  }
}

void LivePipeline::State::fail() {
  const std::lock_guard lock(mutex);
  if (!failure) failure = std::current_exception();
}

/// A video that is not live is held back to its own clock; pauses do not count.
void LivePipeline::State::wait_for_its_time(double time) {
  if (source->is_live() || settings.pace == Pace::EveryFrame) return;
  if (!first_frame) first_frame = Clock::now();
  const auto due = *first_frame + std::chrono::duration_cast<Clock::duration>(
                                      paused_for + std::chrono::duration<double>(time - *first_time));
  while (!stopping && Clock::now() < due) {
    std::this_thread::sleep_for(std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds(100)));
  }
}

/// Of a camera or stream, which may have stopped delivering frames that would tell.
bool LivePipeline::State::out_of_time() const {
  return source->is_live() && settings.max_seconds > 0 && seconds_since(start) >= settings.max_seconds;
}

/// Whether it took the place of one on which nobody had worked.
bool LivePipeline::State::hand_on(const Frame& frame) {
  Captured item{frame, Clock::now()};
  if (mirrored) item.frame.bgr = frame.bgr.flip({1}).contiguous();
  if (settings.pace != Pace::EveryFrame) return captured_frames.replace(std::move(item));
  captured_frames.put(std::move(item));
  return false;
}

void LivePipeline::State::capture() {
  try {
    Frame frame;
    while (!stopping && source->read(frame)) {
      if (!first_time) first_time = source->is_live() ? 0 : frame.time;
      if (settings.max_seconds > 0 && frame.time - *first_time >= settings.max_seconds) break;
      wait_for_its_time(frame.time);
      const auto pause_start = Clock::now();
      while (paused && !stopping) std::this_thread::sleep_for(kNap);
      paused_for += Clock::now() - pause_start;
      ++captured;
      if (hand_on(frame)) ++dropped;
    }
    while (settings.hold && source->is_stills() && frame.bgr.defined() && !stopping) {
      std::this_thread::sleep_for(kHeld);
      hand_on(frame);
    }
  } catch (...) {
    fail();
  }
  captured_frames.close();
}

std::vector<LiveFace> LivePipeline::State::read(const Picture& picture, const std::vector<Track>& tracks, double time) {
  std::vector<Box> boxes;
  boxes.reserve(tracks.size());
  for (const auto& track : tracks) boxes.push_back(track.box);
  const auto readings = read_faces(classifier, picture, boxes);
  std::map<int64_t, LabelSmoother> kept;
  std::vector<LiveFace> faces;
  for (size_t i = 0; i < tracks.size(); ++i) {
    const int64_t id = tracks[i].id;
    const auto known = smoothers.find(id);
    auto smoother = known != smoothers.end() ? known->second : LabelSmoother(settings.smoothing);
    smoother.update(readings[i].probabilities, time);
    LiveFace face{id, readings[i], smoother.probabilities(), smoother.label()};
    if (tracks[i].lost == 0) describe(tracks[i].face, picture, face);
    faces.push_back(std::move(face));
    kept.emplace(id, std::move(smoother));
  }
  smoothers = std::move(kept);
  return faces;
}

/// What the detector says of it, and how the head is turned.
void LivePipeline::State::describe(const Detection& found, const Picture& picture, LiveFace& face) {
  if (!std::isnan(found.score)) face.score = found.score;
  if (settings.pose) face.pose = head_pose(found, picture, eyes);
}

/// Every face of the picture, as it is: not followed, not smoothed.
void LivePipeline::State::read_still(const Picture& picture, AnalysedFrame& out) {
  if (out.frame.number != still) faces_before = born;
  still = out.frame.number;
  const auto start = Clock::now();
  const auto& input = classifier.preprocessing();
  const FoundFaces found = find_faces(picture, detectors[detector].get(), input, Detect::Auto);
  out.find_ms = found.searched ? milliseconds_since(start) : 0;
  const auto reading_start = Clock::now();
  const auto crops = crop_faces(picture, found.squares, input);
  const auto probabilities = read_crops(classifier, crops);
  for (size_t i = 0; i < found.faces.size(); ++i) {
    const FaceReading reading{found.faces[i].box, crops[static_cast<int64_t>(i)], probabilities[i]};
    LiveFace face{faces_before + static_cast<int64_t>(i) + 1, reading, reading.probabilities, {}};
    if (found.searched) describe(found.faces[i], picture, face);
    if (reading.confidence() >= settings.smoothing.certainty) face.label = reading.top();
    out.faces.push_back(std::move(face));
  }
  if (!found.faces.empty()) out.read_ms = milliseconds_since(reading_start);
  born = std::max<int64_t>(born, faces_before + static_cast<int64_t>(out.faces.size()));
}

void LivePipeline::State::perturb(AnalysedFrame& out) {
  if (!live_attack || !attacking) return;
  const auto start = Clock::now();
  live_attack->set_eps(eps);
  std::vector<LiveAttack::Face> faces;
  for (const auto& face : out.faces) faces.push_back({face.id, face.reading.crop, face.reading.probabilities});
  out.perturbed = live_attack->perturb(faces);
  out.attacked = true;
  out.tally = live_attack->tally();
  out.eps = eps;
  out.attack_ms = milliseconds_since(start);
}

void LivePipeline::State::explain(AnalysedFrame& out) {
  if (!explaining || out.attacked || out.faces.empty()) return;  // the attack view has no room for it
  const auto& face = *std::max_element(out.faces.begin(), out.faces.end(), [](const LiveFace& a, const LiveFace& b) {
    return a.reading.box.area() < b.reading.box.area();
  });
  const bool fresh = explanation && explanation->id == face.id && out.frame.time >= explained_at &&
                     out.frame.time < explained_at + kExplanationAge;
  if (!fresh || source->is_stills()) {
    const auto& crop = face.reading.crop;
    Explanation made{face.id, crop, face.reading.probabilities, region_map(classifier, crop, face.reading.top()),
                     {},      {}};
    if (const Classifier* defender = live_attack ? live_attack->defender() : nullptr) {
      made.robust_seen = read_crops(*defender, crop.unsqueeze(0)).front();
      made.robust_regions = region_map(*defender, crop, top_of(made.robust_seen));
    }
    explanation = std::move(made);
    explained_at = out.frame.time;
  }
  out.explanation = explanation;
}

AnalysedFrame LivePipeline::State::analyse_one(Captured item) {
  AnalysedFrame out;
  out.frame = std::move(item.frame);
  const bool again = std::exchange(looked_at, out.frame.number) == out.frame.number;  // a still that is held
  const auto start = Clock::now();
  const Picture picture = make_picture(out.frame.bgr);
  if (&follower.detector() != detectors[detector].get()) follower.use(detectors[detector]);
  out.detector = follower.detector().name();
  if (source->is_stills()) {
    read_still(picture, out);
  } else {
    const auto tracks = follower.follow(picture, out.frame.time);
    out.find_ms = milliseconds_since(start);
    const auto reading = Clock::now();
    out.faces = read(picture, tracks, out.frame.time);
    out.read_ms = milliseconds_since(reading);
    born = follower.born();
  }
  out.latency_ms = milliseconds_since(item.arrival);
  perturb(out);
  explain(out);
  const std::lock_guard lock(mutex);
  if (!again) {
    latencies.add(out.latency_ms);
    ++analysed;
  }
  meter.tick(std::chrono::duration<double>(Clock::now().time_since_epoch()).count());
  return out;
}

void LivePipeline::State::analyse() {
  try {
    prepare_machine(settings.runtime);  // the number of threads belongs to the thread that calls the network
    keep_memory_steady();
    int64_t looks = 0;
    while (!stopping && !captured_frames.closed_and_empty()) {
      if ((settings.max_frames > 0 && looks >= settings.max_frames) || out_of_time()) break;
      auto item = captured_frames.take(kNap);
      if (!item) continue;
      auto out = analyse_one(std::move(*item));
      ++looks;
      if (!analysed_frames.put(std::move(out))) break;
    }
  } catch (const Interrupted&) {  // Ctrl-C ends a session in good order
  } catch (...) {
    fail();
  }
  stopping = true;
  captured_frames.close();
  analysed_frames.close();
}

LivePipeline::LivePipeline(std::unique_ptr<VideoSource> source, std::vector<std::shared_ptr<FaceDetector>> detectors,
                           const Classifier& classifier, std::unique_ptr<LiveAttack> attack,
                           const PipelineSettings& settings)
    : state_(
          std::make_unique<State>(std::move(source), std::move(detectors), classifier, std::move(attack), settings)) {
  if (state_->live_attack) state_->eps = state_->live_attack->settings().eps;
  state_->capture_thread = std::thread([state = state_.get()] { state->capture(); });
  state_->analysis_thread = std::thread([state = state_.get()] { state->analyse(); });
}

LivePipeline::~LivePipeline() = default;

std::optional<AnalysedFrame> LivePipeline::next(double seconds) {
  auto frame = state_->analysed_frames.take(std::chrono::duration<double>(seconds));
  if (!frame && state_->analysed_frames.closed_and_empty()) {
    const std::lock_guard lock(state_->mutex);
    if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
  }
  return frame;
}

bool LivePipeline::finished() const {
  const std::lock_guard lock(state_->mutex);
  return state_->analysed_frames.closed_and_empty() && !state_->failure;
}

PipelineStatus LivePipeline::status() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->captured,
          state_->analysed,
          state_->dropped,
          state_->captured_frames.waiting(),
          state_->meter.rate(),
          state_->latencies.quantile(0.5),
          state_->latencies.quantile(0.95)};
}

int64_t LivePipeline::faces_seen() const {
  return state_->born;
}
const VideoSource& LivePipeline::source() const {
  return *state_->source;
}
void LivePipeline::pause(bool on) {
  state_->paused = on;
}
void LivePipeline::mirror(bool on) {
  state_->mirrored = on;
}
void LivePipeline::next_detector() {
  state_->detector = (state_->detector + 1) % state_->detectors.size();
}
void LivePipeline::attack(bool on) {
  state_->attacking = on && state_->live_attack != nullptr;
}
void LivePipeline::set_eps(double eps) {
  state_->eps = eps;
}
void LivePipeline::explain(bool on) {
  state_->explaining = on;
}
}  // namespace fercli
