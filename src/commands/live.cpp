// fercli live: the emotions of every face in front of a camera, and what an imperceptible perturbation makes of them.
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <map>
#include <thread>

#include "commands/options/column_table.hpp"
#include "commands/options/face_options.hpp"
#include "commands/options/model_options.hpp"
#include "commands/options/output_file.hpp"
#include "core/command.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"
#include "core/standard_output.hpp"
#include "core/text.hpp"
#include "eval/measures/metrics.hpp"
#include "eval/result.hpp"
#include "live/screen/window.hpp"
#include "live/session.hpp"
#include "live/video/synthetic_video.hpp"

namespace fercli::live_command {

namespace {

namespace fs = std::filesystem;

constexpr double kPatience = 0.03;   ///< seconds to wait for a frame before the window is looked after
constexpr double kFps = 30;          ///< of recordings of cameras that promise nothing better
constexpr double kEpsFactor = 1.25;  ///< of one press of + or -
constexpr int kEscape = 27;

struct Arguments {
  std::vector<std::string> sources{"0"};
  ModelOptions model;
  FaceOptions faces;
  VideoOptions video;
  std::string pace = "auto", attack, defend, language = "en";
  SessionOutputs outputs;
  Smoothing smoothing;
  double eps = 4 / 255.0, duration = 0;
  int64_t steps = 4, max_frames = 0;
  bool list = false, columns = false, no_window = false, lines = false, course = false, mirror = false, explain = false,
       force = false, quiet = false;
  Runtime runtime;
};

void declare(OptionSet& options, Arguments& a) {
  options.section("Video and network");
  options.texts(
      "source,s", &a.sources, "SOURCE",
      "camera number, /dev/videoN, video file, picture or folder of them, URL (http, rtsp), or synthetic[:faces=2,…]; "
      "of several the first that opens");
  options.flag("list-cameras", &a.list, "print the cameras of this machine and end");
  a.model.declare(options);
  a.model.declare_tta(options);
  a.faces.settings.smallest.share = 1.0 / 12;
  a.faces.declare(options,
                  "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx); key d switches back to the cascade",
                  "a twelfth of the picture's shorter side, but at least 24: smaller ones take more time");
  options.choice("pace", &a.pace, {"auto", "realtime", "every-frame"},
                 "realtime: the newest frame wins; every-frame: a file waits for the network; auto: every-frame for "
                 "files and folders without a window, else realtime");
  options.flag("mirror", &a.mirror, "flip the picture, as in a mirror");
  options.number("duration", &a.duration, "", above(0), "end after this many seconds of video");
  options.integer("max-frames", &a.max_frames, at_least(0), "end after this many analysed frames; 0: all");
  a.model.declare_foreign(options);
  options.section("Labels");
  options.number("smooth", &a.smoothing.seconds, "0.4", at_least(0),
                 "seconds over which a face's probabilities are averaged; 0: raw, label by label");
  options.number("threshold", &a.smoothing.certainty, "0.4", between(0, 1),
                 "under this probability the label is \"uncertain\"");
  options.section("Attack view");
  options.text("attack", &a.attack, "GOAL",
               "perturb every face: happy-to-sad, any-to-sad, untargeted; without it key a attacks untargeted");
  options.number("eps", &a.eps, "4/255", {0, 1, true}, "largest change of a pixel (Linf), pixels in [0,1]");
  options.integer("steps", &a.steps, {1, 100}, "steps per frame, continued from the last frame's perturbation");
  options.text("defend", &a.defend, "MODEL", "a robust network whose verdict is shown beside");
  options.flag("explain", &a.explain,
               "colour the regions of the largest face that cost its verdict most when they are hidden, for the "
               "robust network too; key x");
  options.section("Output");
  options.flag("no-window", &a.no_window, "no window; prints a line a second unless data goes to stdout");
  options.flag("lines", &a.lines, "print a line a second beside the window too");
  options.flag("course", &a.course, "with these lines, those that say \"Reading video stream\" and \"Preprocessing\"");
  options.text("record", &a.outputs.record, "FILE", "video of the frames as they came (.mp4, .avi)");
  options.text("record-annotated", &a.outputs.record_annotated, "FILE", "video of what the window shows");
  options.text("csv", &a.outputs.csv, "FILE",
               "a line per face and frame, with empty fields where there is no face; - is stdout");
  options.flag("columns", &a.columns, "say what the columns of --csv mean, with units and ranges, and end");
  options.text("jsonl", &a.outputs.jsonl, "FILE", "a JSON object per frame; - is stdout");
  declare_force(options, &a.force);
  options.text("export-faces", &a.outputs.faces, "DIR",
               "image0.png, image1.png, … (the largest face, grey, as the network sees it) and input_video.mp4");
  a.video.declare(options,
                  "keep one frame every so many seconds (1s, 0.5s), or every Nth one, in --csv, --jsonl and "
                  "--export-faces; without it all, and a face a second");
  options.text("out,o", &a.outputs.folder, "DIR", "session.json and timeline.png at the end");
  options.choice("lang", &a.language, {"en", "fr"}, "language of the labels drawn");
  options.flag("quiet,q", &a.quiet, "no remarks");
  a.model.declare_runtime(options, &a.runtime);
}

/// Nothing written may take the place of the source, or of something else that is written.
void check_files(const Arguments& a, const OptionSet& options) {
  std::map<fs::path, std::string> taken;
  const auto take = [&](const std::string& option, const fs::path& file) {
    for (const auto& source : a.sources) require_other_file("fercli live: --" + option, file, source);
    const auto [other, is_new] = taken.emplace(fs::absolute(file).lexically_normal(), option);
    if (!is_new) options.fail(option, fmt::format("{} is the file of --{} too", file.string(), other->second));
    if (option != "export-faces") require_free(options, option, file, a.force);  // a folder has its own rule
  };
  for (const auto& [option, file] :
       {std::pair{"record", a.outputs.record}, {"record-annotated", a.outputs.record_annotated}}) {
    if (!file.empty() && !is_recording_name(file)) options.fail(option, kRecordingNames);
  }
  const SessionOutputs& out = a.outputs;
  if (!out.record.empty()) take("record", out.record);
  if (!out.record_annotated.empty()) take("record-annotated", out.record_annotated);
  if (!out.csv.empty() && out.csv != "-") take("csv", out.csv);
  if (!out.jsonl.empty() && out.jsonl != "-") take("jsonl", out.jsonl);
  if (!out.faces.empty()) take("export-faces", fs::path(out.faces) / kInputVideo);
}

void check(Arguments& a, const OptionSet& options) {
  a.faces.take(options);
  a.video.take(options);
  if (options.given("every")) a.outputs.every = a.outputs.logged = a.video.every;
  check_files(a, options);
  if (a.outputs.csv == "-" && a.outputs.jsonl == "-") options.fail("jsonl", "stdout is taken by --csv -");
  if (a.lines && (a.outputs.csv == "-" || a.outputs.jsonl == "-")) {
    options.fail("lines", "stdout is taken by --csv - or --jsonl -");
  }
  if (a.course && !a.lines && !a.no_window) options.fail("course", "goes with --lines or --no-window");
  a.lines = a.lines || (a.no_window && a.outputs.csv != "-" && a.outputs.jsonl != "-");
  // On two cores the network leaves one to capture and drawing.
  if (a.runtime.threads == 0) {
    a.runtime.threads = std::max<int64_t>(1, static_cast<int64_t>(std::thread::hardware_concurrency()) - 1);
  }
}

int print_cameras() {
  const auto cameras = list_cameras();
  for (const auto& camera : cameras) {
    print_text("{}  {}  {}\n", camera.device, camera.name,
               camera.opens ? fmt::format("{}x{}", camera.width, camera.height) : "(delivers no video)");
  }
  if (cameras.empty()) print_text("no cameras\n");
  return 0;
}

/// The classifiers of a session; the defender is optional.
struct Networks {
  Classifier classifier;
  std::optional<Classifier> defender;
};

Networks load_networks(const Arguments& a) {
  Networks networks{a.model.classifier(a.model.load_and_warn(), a.runtime), {}};
  if (a.defend.empty()) return networks;
  networks.defender = a.model.classifier(load_named_model(a.defend, "--defend", a.model.trust_code), a.runtime);
  const auto &ours = networks.classifier.classes(), &theirs = networks.defender->classes();
  const auto &input = networks.classifier.preprocessing(), &other = networks.defender->preprocessing();
  if (ours != theirs)
    throw UserError(fmt::format("fercli live: --defend {}: has other classes than the model", a.defend));
  if (input.channels != other.channels) {
    throw UserError(fmt::format("fercli live: --defend {}: reads {} channels, the model {}", a.defend, other.channels,
                                input.channels));
  }
  return networks;
}

std::vector<std::shared_ptr<FaceDetector>> make_detectors(const std::string& word, const DetectorSettings& settings) {
  std::vector<std::shared_ptr<FaceDetector>> detectors{make_face_detector(word, settings)};
  DetectorSettings others = settings;
  others.threshold.reset();  // which has another meaning for it
  try {                      // the other one, for the key d
    if (word != "haar") detectors.push_back(make_face_detector("haar", others));
  } catch (const UserError&) {  // not installed: then there is nothing to change to
  }
  return detectors;
}

/// One run: takes frames, draws, listens to the keys.
class LiveRun {
 public:
  LiveRun(const Arguments& a, LivePipeline& pipeline, const LabelSet& classes, const std::string& goal)
      : a_(a),
        pipeline_(pipeline),
        classes_(classes),
        hud_(classes.names(), a.language, goal),
        window_(a.no_window ? nullptr : std::make_unique<Window>("fercli live")),
        session_(a.outputs, classes, pipeline.source().fps() >= 5 ? pipeline.source().fps() : kFps),
        eps_(a.eps),
        largest_eps_(a.eps),
        mirrored_(a.mirror),
        explained_(a.explain) {
    switches_.attack = !a.attack.empty();
    pipeline_.attack(switches_.attack);
  }

  void loop() {
    if (a_.lines && a_.course) print_out("Reading video stream ...\n\n");
    while (!pipeline_.finished() && !quit_ && !interrupted()) {
      if (auto frame = pipeline_.next(kPatience)) {
        frame_ = std::move(frame);
        const bool again = pipeline_.source().is_stills() && frame_->frame.number == last_number_;
        last_number_ = frame_->frame.number;
        if (!again) session_.add(*frame_);
        if (a_.lines && !again) print_line();
        if (window_ || session_.wants_shown() || session_.recording()) draw(!again);
      } else if (frame_ && window_ && changed_) {
        draw(false);  // paused: the keys still answer
      }
      if (window_) listen();
    }
    print_empty_second();
  }

  void finish() {
    const auto status = pipeline_.status();
    const auto summary = session_.summary(status, pipeline_.faces_seen(), pipeline_.source().name());
    const std::string latency = status.analysed == 0 ? ""
                                                     : fmt::format("; latency p50 {:.1f} ms, p95 {:.1f} ms",
                                                                   status.latency_p50, status.latency_p95);
    inform(fmt::format("{:.1f} s of {}: {}, {} analysed, {} dropped; {}{}", summary.seconds, pipeline_.source().name(),
                       counted(status.captured, "frame"), status.analysed, status.dropped,
                       counted(pipeline_.faces_seen(), "face"), latency));
    std::string seconds;
    for (const auto& [name, value] : summary.seconds_per_emotion) {
      if (value >= 0.05) seconds += fmt::format("  {} {:.1f} s", name, value);
    }
    if (!seconds.empty()) inform("seconds per emotion:" + seconds);
    if (summary.attack) {
      inform(fmt::format("attack success: {}, with no pixel changed by more than {:.3g} of 255 levels",
                         format_proportion(proportion(summary.attack->successes, summary.attack->faces)),
                         largest_eps_ * 255));
    }
    session_.finish(status, pipeline_.faces_seen(), hud_.overlay(), pipeline_.source().name());
  }

 private:
  /// One line a second: of its first frame that shows a face, else "no face" when the second is over.
  void print_line() {
    const auto second = static_cast<int64_t>(frame_->frame.time);
    if (open_second_ && *open_second_ < second) print_empty_second();
    if (second > last_second_) open_second_ = last_second_ = second;
    if (!open_second_ || frame_->faces.empty()) return;
    print_course_line(*frame_, *open_second_);
    open_second_.reset();
  }

  void print_empty_second() {
    if (a_.lines && open_second_) print_course_line(AnalysedFrame(), *open_second_);
    open_second_.reset();
  }

  void print_course_line(const AnalysedFrame& frame, int64_t second) const {
    const std::string line = course_line(frame, classes_, clock(second));
    print_out(for_terminal(a_.course ? fmt::format("Preprocessing ...\n{}\n\n", line) : line + "\n"));
  }

  /// Of a camera, the time of the day; of a file, the place in it.
  int64_t clock(int64_t second) const {
    if (!pipeline_.source().is_live()) return second;
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    localtime_r(&now, &local);
    return (local.tm_hour * 60 + local.tm_min) * 60 + local.tm_sec;
  }

  void draw(bool is_new) {
    switches_.recording = session_.recording();
    shown_ = hud_.compose(*frame_, pipeline_.status(), session_.timeline(), switches_);
    if (is_new) session_.add_shown(shown_, frame_->frame.time);
    if (window_) window_->show(shown_);
    changed_ = false;
  }

  /// Without a name nothing is saved, and the session has said why.
  static void say_of(const std::string& what, const std::string& name) {
    if (!name.empty()) inform(what + name);
  }

  void listen() {
    const int key = window_->key();
    if (window_->closed() || key == 'q' || key == kEscape) quit_ = true;
    if (key < 0 || quit_) return;
    changed_ = true;
    switch (key) {
      case ' ':
        pipeline_.pause(switches_.paused = !switches_.paused);
        break;
      case 'h':
        switches_.help = !switches_.help;
        break;
      case 'b':
        switches_.bars = !switches_.bars;
        break;
      case 'e':
        switches_.avatars = !switches_.avatars;
        break;
      case 'm':
        pipeline_.mirror(mirrored_ = !mirrored_);
        break;
      case 'x':
        pipeline_.explain(explained_ = !explained_);
        break;
      case 'd':
        pipeline_.next_detector();
        break;
      case 'a':
        pipeline_.attack(switches_.attack = !switches_.attack);
        break;
      case '+':
      case '=':
        pipeline_.set_eps(eps_ = std::min(1.0, eps_ * kEpsFactor));
        largest_eps_ = std::max(largest_eps_, eps_);
        break;
      case '-':
        pipeline_.set_eps(eps_ = std::max(0.5 / 255, eps_ / kEpsFactor));
        break;
      case 's':
        if (frame_) say_of("snapshot ", session_.snapshot(shown_, *frame_));
        break;
      case 'r':
        if (session_.recording()) {
          session_.toggle_recording();
          inform("recording ended");
        } else {
          say_of("recording ", session_.toggle_recording());
        }
        break;
      default:
        break;
    }
  }

  const Arguments& a_;
  LivePipeline& pipeline_;
  const LabelSet& classes_;
  Hud hud_;
  std::unique_ptr<Window> window_;  ///< before the session, whose logs are emptied when all else is there
  Session session_;
  HudSwitches switches_;
  std::optional<AnalysedFrame> frame_;
  torch::Tensor shown_;
  double eps_, largest_eps_;
  int64_t last_second_ = -1, last_number_ = -1;
  std::optional<int64_t> open_second_;  ///< whose line is still to be printed
  bool mirrored_, explained_, quit_ = false, changed_ = false;
};

/// Many files do not say how long they are, as those that browsers record; drawn faces without a length have no end.
Pace pace_of(const Arguments& a, const VideoSource& source) {
  if (a.pace != "auto") return a.pace == "realtime" ? Pace::RealTime : Pace::EveryFrame;
  const bool ends = source.length() > 0 || (!source.is_live() && !is_synthetic_video(source.name()));
  return a.no_window && ends ? Pace::EveryFrame : Pace::RealTime;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options("live", "",
                    "See the emotions of every face on camera, and turn a smile into Sad without visible change.");
  declare(options, a);
  if (!options.parse(arguments)) return 0;
  if (a.list) return print_cameras();
  if (a.columns) {
    print_columns(session_columns());
    return 0;
  }
  check(a, options);
  silence_progress(a.quiet);
  prepare_machine(a.runtime);

  auto source = part_of(open_first_video(a.sources), a.video.range);
  const Networks networks = load_networks(a);
  LiveAttackSettings attack{
      parse_emotion_goal(a.attack.empty() ? "untargeted" : a.attack, networks.classifier.classes()), a.eps, a.steps};
  const std::string goal = attack.goal.name;
  const Classifier* defender = networks.defender ? &*networks.defender : nullptr;
  PipelineSettings settings;
  settings.pace = pace_of(a, *source);
  settings.smoothing = a.smoothing;
  settings.max_seconds = a.duration;
  settings.max_frames = a.max_frames;
  settings.mirror = a.mirror;
  settings.explain = a.explain;
  settings.hold = !a.no_window;
  settings.pose = !a.outputs.csv.empty() || !a.outputs.jsonl.empty();
  settings.runtime = a.runtime;
  LivePipeline pipeline(std::move(source), make_detectors(a.faces.detector, a.faces.settings), networks.classifier,
                        std::make_unique<LiveAttack>(networks.classifier, defender, attack), settings);
  LiveRun live(a, pipeline, networks.classifier.classes(), goal);
  try {
    live.loop();
  } catch (...) {  // a camera that was unplugged: what was recorded until then is kept
    try {
      live.finish();
    } catch (const RunError& error) {
      warn(error.what());
    }
    throw;
  }
  live.finish();
  return 0;
}

const Register<Command> registered{
    {"live", "the emotions of every face on camera, and what an attack makes of them", run}};

}  // namespace

}  // namespace fercli::live_command
