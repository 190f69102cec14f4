// fercli predict: finds the faces in pictures and videos and names their emotions.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "commands/options/column_table.hpp"
#include "commands/options/division_options.hpp"
#include "commands/options/face_options.hpp"
#include "commands/options/model_options.hpp"
#include "commands/options/show_options.hpp"
#include "commands/predict/annotated_files.hpp"
#include "commands/predict/predictor.hpp"
#include "commands/predict/readings_report.hpp"
#include "commands/predict/shared_reading.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/progress.hpp"
#include "core/reason.hpp"
#include "core/standard_output.hpp"
#include "core/text.hpp"
#include "data/image.hpp"
#include "record/document_kind.hpp"
#include "record/shape.hpp"

namespace fercli::predict_command {

namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> inputs;
  ModelOptions model;
  FaceOptions faces;
  VideoOptions video;
  std::string detect = "auto", annotate, language = "en";
  int64_t batch_size = 64, processes = 1;
  bool csv = false, columns = false, recursive = false;
  ShowOptions show;
  Runtime runtime;
};

void declare(OptionSet& options, Arguments& a) {
  options.positional(&a.inputs, 0, std::numeric_limits<size_t>::max());
  options.section("Faces and network");
  options.flag("recursive,r", &a.recursive, "read the folders in a folder too");
  a.model.declare(options);
  a.model.declare_tta(options);
  options.choice("detect", &a.detect, {"auto", "always", "never"},
                 "look for faces in a picture, or take it as one face crop; auto: pictures of the network's input size "
                 "or up to 64x64 pixels are crops");
  a.faces.declare(options, "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx)",
                  "a fortieth of the picture's shorter side, but at least 24");
  a.model.declare_foreign(options);
  options.section("Videos");
  a.video.declare(options,
                  "look at one frame every so many seconds (1s, 0.5s), or at every Nth one; without it at all");
  options.section("Output");
  options.flag("json", &a.show.json, "print one JSON array on stdout, nothing else");
  options.flag("csv", &a.csv,
               "print CSV on stdout, nothing else: one line per face, or with empty fields per picture without one");
  options.flag("columns", &a.columns, "say what the columns of --csv mean, with units and ranges, and end");
  options.choice("format", &a.show.format, table_formats(),
                 "how faces are printed; csv is --csv, latex needs the package booktabs");
  options.text("annotate", &a.annotate, "DIR",
               "write the pictures (PNG) and videos (MP4) with boxes, numbers and labels there");
  options.choice("lang", &a.language, {"en", "fr"}, "language of the labels drawn and printed for people");
  options.flag("quiet,q", &a.show.quiet, "no progress, and one line per picture");
  options.integer("batch-size,b", &a.batch_size, at_least(1), "faces per forward pass; changes no number");
  a.model.declare_runtime(options, &a.runtime);
  options.integer("processes", &a.processes, between(1, 1024),
                  "share the files among this many processes, and the threads among them; changes no result");
}

bool has_folders(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) return true;
  }
  return false;
}

/// All folders in this one, by name; links to folders are not followed, which may lead back.
std::vector<std::string> folders_below(const std::string& folder) {
  std::vector<std::string> folders;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_directory(error) && !entry->is_symlink(error)) folders.push_back(entry->path().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// Folders become the images and videos in them, by name.
std::vector<std::string> list_files(const std::vector<std::string>& inputs, bool recursive) {
  std::vector<std::string> files;
  for (const auto& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      files.push_back(input);
      continue;
    }
    const auto wanted = [](const std::string& file) { return has_image_extension(file) || has_video_extension(file); };
    auto found = files_in(input, wanted);
    if (recursive) {
      for (const auto& folder : folders_below(input)) {
        const auto more = files_in(folder, wanted);
        found.insert(found.end(), more.begin(), more.end());
      }
    }
    const bool leaves_some = !recursive && has_folders(input);
    if (found.empty()) {
      throw UserError(fmt::format("fercli predict: {}: there are no images in this folder{}", input,
                                  leaves_some ? "; folders in it are read with --recursive" : ""));
    }
    if (leaves_some) inform(fmt::format("{}: folders in it are not read; --recursive reads them", input));
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

/// Annotated pictures keep their names: in the folder of the inputs they would take their places.
void refuse_folder_of(const std::string& file, const std::string& annotate, const OptionSet& options) {
  std::error_code error;
  const fs::path folder = fs::absolute(file, error).parent_path();
  if (!annotate.empty() && fs::equivalent(folder, annotate, error)) {
    options.fail("annotate", fmt::format("is the folder of the input {}; name another one", file));
  }
}

PredictorSettings settings_of(const Arguments& a) {
  PredictorSettings settings;
  settings.detect = a.detect == "never" ? Detect::Never : a.detect == "always" ? Detect::Always : Detect::Auto;
  settings.detector = a.faces.detector;
  settings.faces = a.faces.settings;
  settings.every = a.video.every;
  settings.range = a.video.range;
  settings.batch_size = a.batch_size;
  return settings;
}

/// Of an annotated video: no more frames a second than are looked at.
double shown_fps(double fps, const Sampling& every) {
  const double wanted = every.seconds > 0 ? 1 / every.seconds : fps / static_cast<double>(every.frames);
  return std::clamp(wanted, 1.0, std::max(1.0, fps));
}

/// Reads files one after the other, in this process.
class FileReader {
 public:
  using Take = std::function<void(const Reading&)>;
  using Unreadable = std::function<void(const std::string& why)>;

  /// `folder`: for annotated files; empty: none are written.
  FileReader(const Arguments& a, const std::vector<std::string>& files, const Classifier& classifier, Overlay& overlay,
             const fs::path& folder, Take take, AnnotatedFiles::Unwritten unwritten)
      : files_(files),
        every_(a.video.every),
        predictor_(settings_of(a), classifier, [this](const auto&... seen) { sink(seen...); }),
        take_(std::move(take)) {
    if (!folder.empty()) annotated_.emplace(folder, files, overlay, std::move(unwritten));
  }

  void read(size_t place, const Unreadable& unreadable) {
    std::optional<Progress> progress;
    const auto begin = [&](const VideoSource& video) {
      fps_ = shown_fps(video.fps(), every_);
      progress.emplace(files_[place], video.length(), "frames");
    };
    try {
      predictor_.read(place, files_[place], begin, [&] { progress->advance(1); });
      if (progress) flush();
    } catch (const UserError& error) {
      unreadable(error.what());
    }
  }

  /// Hands out what waits, and completes a video.
  void flush() {
    predictor_.flush();
    if (annotated_) annotated_->end_video();
  }

 private:
  void sink(const Reading& reading, const Picture& picture) {
    take_(reading);
    if (annotated_) annotated_->add(reading, picture, fps_);
  }

  const std::vector<std::string>& files_;
  Sampling every_;
  Predictor predictor_;
  Take take_;
  std::optional<AnnotatedFiles> annotated_;
  double fps_ = 30;
};

/// What members send to the one that leads, line by line. `kind`: unreadable, unwritten.
std::string failure_message(const char* kind, const std::string& why) {
  return compact_json(nlohmann::json{{kind, why}});
}

/// For another process.
int help(const Arguments& a, Team& team) {
  Runtime runtime = a.runtime;
  runtime.threads = shared_threads(runtime.threads, team_place().on_machine);
  prepare_machine(runtime);
  const Classifier classifier = a.model.classifier(a.model.load(), runtime);
  Overlay overlay(classifier.classes().names(), a.language);
  help_reading(team, [&](const auto& files, const FileBlock& block, const std::string& folder, const auto& put) {
    FileReader reader(
        a, files, classifier, overlay, folder, [&](const Reading& reading) { put(message_of(reading).dump()); },
        [&](const std::string& why) { put(failure_message("unwritten", why)); });
    for (const size_t place : block) {
      throw_if_interrupted();
      reader.read(place, [&](const std::string& why) { put(failure_message("unreadable", why)); });
    }
    reader.flush();
  });
  return 0;
}

/// Shares the files among other processes; prints what they see.
class Leader {
 public:
  Leader(const Arguments& a, const std::vector<std::string>& files, Team* team)
      : a_(a),
        files_(files),
        team_(team),
        classifier_(a.model.classifier(a.model.load_and_warn(), a.runtime)),
        overlay_(classifier_.classes().names(), a.language),
        report_(a.show, classifier_.classes(), overlay_) {
    if (!a.annotate.empty()) place_.emplace(a.annotate, "predict", OutputFolder::Leftovers::Kept);
  }

  int run() {
    try {
      read();
    } catch (...) {
      keep_annotated();
      throw;
    }
    if (place_) place_->complete();
    report_.finish();
    list(unwritten_, "annotated");
    list(unreadable_, "read");
    return !unreadable_.empty() ? 2 : !unwritten_.empty() ? 1 : 0;
  }

 private:
  fs::path folder() const { return place_ ? place_->work() : fs::path(); }

  void read() {
    Progress progress("Reading", static_cast<int64_t>(files_.size()), "files");
    if (team_ == nullptr) {
      read_here(blocks_of(files_), progress);
    } else {
      lead_reading(
          *team_, files_, folder().string(), [&](const std::string& line) { take(line); },
          [&](const FileBlock& block) { read_here({block}, progress); });
    }
  }

  /// Of a run that ends before its time.
  void keep_annotated() {
    if (!place_) return;
    if (team_ != nullptr) end_reading(*team_);
    try {
      const auto kept = place_->keep();
      if (kept.folder.empty()) return;
      const bool videos = std::any_of(files_.begin(), files_.end(), has_video_extension);
      warn(fmt::format("{} of {} annotated files are in {}{}", kept.files, files_.size(), kept.folder.string(),
                       videos ? "; a video among them may end early" : ""));
    } catch (const std::runtime_error& error) {
      warn(reason_of(error));
    }
  }

  void list(const std::vector<std::string>& failures, const char* what) const {
    for (const auto& line : failures) warn(line);
    if (!failures.empty()) warn(fmt::format("{} of {} files could not be {}", failures.size(), files_.size(), what));
  }

  void read_here(const std::vector<FileBlock>& blocks, Progress& progress) {
    FileReader reader(
        a_, files_, classifier_, overlay_, folder(), [&](const Reading& reading) { add(reading); },
        [&](const std::string& why) { unwritten_.push_back(why); });
    for (const auto& block : blocks) {
      for (const size_t place : block) {
        throw_if_interrupted();
        reader.read(place, [&](const std::string& why) { unreadable_.push_back(why); });
        progress.advance(1);
      }
    }
    reader.flush();
  }

  /// Where nobody takes what is printed, and nothing else is made, there is no more to do.
  void add(const Reading& reading) {
    report_.add(reading);
    if (!place_) throw_if_output_is_lost();
  }

  void take(const std::string& line) {
    const auto message = nlohmann::json::parse(line);
    if (!message.is_object()) return add(reading_of(message, files_));
    auto& failures = message.contains("unwritten") ? unwritten_ : unreadable_;
    failures.push_back(message.front());
  }

  const Arguments& a_;
  const std::vector<std::string>& files_;
  Team* team_;
  Classifier classifier_;
  Overlay overlay_;
  ReadingsReport report_;
  std::optional<OutputFolder> place_;  ///< of what is annotated
  std::vector<std::string> unreadable_, unwritten_;
};

void check(Arguments& a, const OptionSet& options) {
  if (a.show.json && a.csv) options.fail("csv", "does not go with --json");
  if (a.csv && options.given("format") && a.show.format != "csv") options.fail("format", "does not go with --csv");
  if (a.inputs.empty()) {
    throw UserError("fercli predict: give pictures, videos or folders; usage: fercli predict FILE|DIR … [options]");
  }
  a.show.begin(options);
  if (a.csv) a.show.format = "csv";
  a.faces.take(options);
  a.video.take(options);
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options(
      "predict", "FILE|DIR …",
      "Name the emotion of every face in pictures and videos. Pictures of 48x48 pixels are taken as faces.");
  declare(options, a);
  if (!options.parse(arguments)) return 0;
  if (a.columns) {
    print_columns(predict_columns(), a.show.format);
    return 0;
  }
  check(a, options);
  const TeamPlace place = team_place();
  if (place.member) keep_silent();
  const auto files = list_files(a.inputs, a.recursive);  // a member's own are only checked
  for (const auto& file : files) refuse_folder_of(file, a.annotate, options);
  auto team = join_team(place);
  if (place.member && team) return help(a, *team);
  const auto wanted = std::min<int64_t>(a.processes, static_cast<int64_t>(blocks_of(files).size()));
  prepare_machine(a.runtime);
  if (!team && wanted > 1) team = start_processes(wanted, words_of("predict", arguments));
  return Leader(a, files, team.get()).run();
}

nlohmann::json schema() {
  using namespace shape;
  const json face = object(
      joined({{"face", described(whole(), "in a picture the place from left to right, in a video that of the person")},
              {"emotion", text()},
              {"confidence", share()}},
             always_of_face()),
      sometimes_of_face());
  return list(object({{"file", text()}, {"faces", list(face)}},
                     {{"frame", described(whole(), "number in the video")},
                      {"time", described(number(), "the frame's own time stamp in the video, in seconds")}}));
}

const Register<DocumentKind> document{{"predict", "--json of predict: pictures and frames with their faces", schema}};

const Register<Command> registered{{"predict", "name the emotion of every face in pictures and videos", run}};

}  // namespace

}  // namespace fercli::predict_command
