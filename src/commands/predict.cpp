// fercli predict: finds the faces in pictures and videos and names their emotions.
#include <fmt/format.h>

#include <limits>
#include <set>

#include "commands/options/model_options.hpp"
#include "commands/options/show_options.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/progress.hpp"
#include "data/image.hpp"
#include "draw/overlay.hpp"
#include "eval/result.hpp"
#include "faces/face_reader.hpp"
#include "live/video/recorder.hpp"
#include "live/video/video_source.hpp"
#include "record/box_shape.hpp"
#include "record/document_kind.hpp"

namespace fercli::predict_command {

namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::vector<std::string> inputs;
  ModelOptions model;
  SmallestFace smallest_face;
  std::string detect = "auto", detector = "haar", annotate, language = "en";
  int64_t batch_size = 64;
  bool csv = false, recursive = false;
  ShowOptions show;
  Runtime runtime;
};

void declare(OptionSet& options, Arguments& a) {
  options.positional(&a.inputs, 1, std::numeric_limits<size_t>::max());
  options.section("Faces and network");
  options.flag("recursive,r", &a.recursive, "read the folders in a folder too");
  a.model.declare(options);
  options.choice("detect", &a.detect, {"auto", "always", "never"},
                 "look for faces in a picture, or take it as one face crop; auto: pictures of the network's input size "
                 "or up to 64x64 pixels are crops");
  options.text("detector", &a.detector, "haar|FILE", "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx)");
  options.number(
      "min-face", &a.smallest_face.pixels, "", at_least(24),
      "smallest face looked for, in pixels; without it a fortieth of the picture's shorter side, but at least 24");
  a.model.declare_foreign(options);
  options.section("Output");
  options.flag("json", &a.show.json, "print one JSON array on stdout, nothing else");
  options.flag("csv", &a.csv, "print CSV on stdout, one line per face, nothing else");
  options.choice("format", &a.show.format, table_formats(),
                 "how faces are printed; csv is --csv, latex needs the package booktabs");
  options.text("annotate", &a.annotate, "DIR", "write the pictures (PNG) and videos (MP4) with boxes and labels there");
  options.choice("lang", &a.language, {"en", "fr"}, "language of the labels drawn and printed for people");
  options.flag("quiet,q", &a.show.quiet, "no progress, and one line per picture");
  options.integer("batch-size,b", &a.batch_size, at_least(1), "faces per forward pass; changes no number");
  a.model.declare_runtime(options, &a.runtime);
}

/// One picture, or one frame of a video.
struct Item {
  std::string file;
  std::optional<int64_t> frame;  ///< of a video
  double time = 0;
  Picture picture;
  std::vector<Box> boxes;
  torch::Tensor crops;  ///< uint8 (N,C,S,S)
  std::vector<FaceReading> faces;
};

/// Where readings go: text, CSV or JSON on stdout, and annotated files.
class Report {
 public:
  Report(const Arguments& arguments, const LabelSet& classes)
      : a_(arguments), classes_(classes), overlay_(classes.names(), arguments.language) {
    if (!a_.annotate.empty()) place_.emplace(a_.annotate, "predict");
    if (!a_.csv) return;
    print_text("file,frame,time,face,x,y,width,height,emotion,confidence");
    for (const auto& name : classes_.names()) print_text(",{}", csv_field("p_" + name));
    print_text("\n");
  }

  void add(const Item& item) {
    ++pictures_;
    faces_ += static_cast<int64_t>(item.faces.size());
    if (a_.show.json) {
      print_text("{}\n{}", pictures_ == 1 ? "[" : ",", compact_json(to_json(item)));
    } else if (a_.csv) {
      print_csv(item);
    } else if (!a_.show.text()) {
      add_rows(item);
    } else if (a_.show.quiet) {
      print_line(item);
    } else {
      print_faces(item);
    }
    if (!a_.annotate.empty()) annotate(item);
  }

  void finish() {
    end_video();
    if (place_) place_->complete();
    if (a_.show.json) print_text("{}]\n", pictures_ == 0 ? "[" : "\n");
    if (a_.show.json || a_.csv) return;
    if (!a_.show.text()) a_.show.print({table_});
    if (a_.show.text() && !a_.show.quiet && pictures_ > 1) print_text("{} pictures, {} faces\n", pictures_, faces_);
  }

 private:
  nlohmann::ordered_json to_json(const Item& item) const {
    nlohmann::ordered_json json{{"file", item.file}};
    if (item.frame) json.update({{"frame", *item.frame}, {"time", item.time}});
    json["faces"] = nlohmann::ordered_json::array();
    for (const auto& face : item.faces) {
      nlohmann::ordered_json probabilities;
      for (size_t k = 0; k < face.probabilities.size(); ++k) probabilities[classes_.names()[k]] = face.probabilities[k];
      json["faces"].push_back({{"emotion", classes_.name(face.top())},
                               {"confidence", face.confidence()},
                               {"box", Shape<Box>::write(face.box)},
                               {"probabilities", probabilities}});
    }
    return json;
  }

  void print_csv(const Item& item) const {
    int64_t number = 0;
    const std::string place = item.frame ? fmt::format("{},{:.3f}", *item.frame, item.time) : ",";
    for (const auto& face : item.faces) {
      print_text("{},{},{},{:.0f},{:.0f},{:.0f},{:.0f},{},{:.6f}", csv_field(item.file), place, ++number, face.box.x,
                 face.box.y, face.box.width, face.box.height, csv_field(classes_.name(face.top())), face.confidence());
      for (const double probability : face.probabilities) print_text(",{:.6f}", probability);
      print_text("\n");
    }
  }

  /// "people.jpg", of a video with the frame.
  static std::string name_of(const Item& item) {
    return item.file + (item.frame ? fmt::format(", frame {} at {:.2f} s", *item.frame, item.time) : "");
  }

  std::string verdict(const FaceReading& face) const {
    return fmt::format("{} {:.1f} %", overlay_.class_name(face.top()), 100 * face.confidence());
  }

  void print_line(const Item& item) const {
    std::vector<std::string> verdicts;
    for (const auto& face : item.faces) verdicts.push_back(verdict(face));
    print_text("{}: {}\n", printable(name_of(item)),
               verdicts.empty() ? overlay_.say("no face found", "aucun visage") : join(verdicts, ", "));
  }

  void add_rows(const Item& item) {
    int64_t number = 0;
    for (const auto& face : item.faces) {
      table_.rows.push_back(
          {name_of(item), ++number, overlay_.class_name(face.top()),
           figure_cell(fmt::format("{:.1f}", 100 * face.confidence())),
           fmt::format("{:.0f},{:.0f} {:.0f}x{:.0f}", face.box.x, face.box.y, face.box.width, face.box.height)});
    }
  }

  void print_faces(const Item& item) const {
    print_text("{}\n", printable(name_of(item)));
    if (item.faces.empty()) print_text("  {}\n", overlay_.say("no face found", "aucun visage"));
    for (const auto& face : item.faces) {
      print_text("  {:<18}", verdict(face));
      print_text("  box {:.0f},{:.0f} {:.0f}x{:.0f} ", face.box.x, face.box.y, face.box.width, face.box.height);
      for (size_t k = 0; k < face.probabilities.size(); ++k) {
        print_text("  {} {:.1f}", overlay_.class_name(static_cast<int64_t>(k)), 100 * face.probabilities[k]);
      }
      print_text("\n");
    }
  }

  void annotate(const Item& item) {
    const auto drawn = item.picture.bgr.clone();
    std::vector<FaceView> views;
    for (const auto& face : item.faces) views.push_back({0, face.box, face.top(), face.probabilities});
    overlay_.draw_faces(drawn, views, true);
    const fs::path name = fs::path(item.file).filename();
    if (!item.frame) {
      write_png(image_of_bgr(drawn), fresh_name(place_->work() / name.stem().concat(".png")));
      return;
    }
    if (*item.frame == 0) {
      end_video();
      const auto target = fresh_name(place_->work() / name.stem().concat(".mp4"));
      recorder_ = std::make_unique<VideoRecorder>(target, drawn.size(1), drawn.size(0), video_fps);
    }
    recorder_->add(drawn, item.time);
  }

  void end_video() {
    if (recorder_) recorder_->finish();
    recorder_.reset();
  }

  /// Two pictures of one name from two folders do not overwrite each other.
  fs::path fresh_name(const fs::path& wanted) {
    fs::path name = wanted;
    for (int64_t i = 2; !written_.insert(name.string()).second; ++i) {
      name = wanted.parent_path() / fmt::format("{}-{}{}", wanted.stem().string(), i, wanted.extension().string());
    }
    return name;
  }

  const Arguments& a_;
  const LabelSet& classes_;
  Overlay overlay_;
  std::optional<OutputFolder> place_;  ///< of what is annotated
  std::unique_ptr<VideoRecorder> recorder_;
  std::set<std::string> written_;
  int64_t pictures_ = 0, faces_ = 0;
  PrintedTable table_{"Faces", {"file", "face", "emotion", "confidence (%)", "box"}, {}};

 public:
  double video_fps = 30;  ///< of the video whose frames are being added
};

/// Finds faces picture by picture, and reads them in batches that may span pictures.
class Predictor {
 public:
  Predictor(const Arguments& arguments, const Classifier& classifier, Report& report)
      : a_(arguments), classifier_(classifier), report_(report) {
    mode_ = a_.detect == "never" ? Detect::Never : a_.detect == "always" ? Detect::Always : Detect::Auto;
    if (mode_ != Detect::Never) detector_ = make_face_detector(a_.detector, a_.smallest_face);
  }

  void add(Item item) {
    const auto& input = classifier_.preprocessing();
    FoundFaces found = find_faces(item.picture, detector_.get(), input, mode_);
    item.crops = crop_faces(item.picture, found.squares, input);
    item.boxes = std::move(found.boxes);
    waiting_faces_ += item.crops.size(0);
    waiting_.push_back(std::move(item));
    if (waiting_faces_ >= a_.batch_size || waiting_.size() >= kMostWaiting) flush();
  }

  void flush() {
    if (waiting_.empty()) return;
    std::vector<torch::Tensor> crops;
    for (const auto& item : waiting_) crops.push_back(item.crops);
    const auto probabilities = read_crops(classifier_, torch::cat(crops));
    size_t next = 0;
    for (auto& item : waiting_) {
      for (size_t i = 0; i < item.boxes.size(); ++i) {
        item.faces.push_back({item.boxes[i], item.crops[static_cast<int64_t>(i)], probabilities[next++]});
      }
      report_.add(item);
    }
    waiting_.clear();
    waiting_faces_ = 0;
  }

 private:
  static constexpr size_t kMostWaiting = 32;  ///< pictures kept in memory

  const Arguments& a_;
  const Classifier& classifier_;
  Report& report_;
  Detect mode_;
  std::unique_ptr<FaceDetector> detector_;
  std::vector<Item> waiting_;
  int64_t waiting_faces_ = 0;
};

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

void read_video(const std::string& file, Predictor& predictor, Report& report) {
  const auto video = open_video(file);
  Progress progress(file, video->length(), "frames");
  predictor.flush();  // the recorder works on one video at a time
  report.video_fps = video->fps();
  for (Frame frame; video->read(frame);) {
    throw_if_interrupted();
    predictor.add({file, frame.number, frame.time, make_picture(frame.bgr), {}, {}, {}});
    progress.advance(1);
  }
  predictor.flush();
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options(
      "predict", "FILE|DIR …",
      "Name the emotion of every face in pictures and videos. Pictures of 48x48 pixels are taken as faces.");
  declare(options, a);
  if (!options.parse(arguments)) return 0;
  if (a.show.json && a.csv) options.fail("csv", "does not go with --json");
  if (a.csv && options.given("format") && a.show.format != "csv") options.fail("format", "does not go with --csv");
  a.show.begin(options);
  a.csv = a.csv || a.show.format == "csv";
  prepare_machine(a.runtime);
  const auto files = list_files(a.inputs, a.recursive);
  for (const auto& file : files) refuse_folder_of(file, a.annotate, options);
  const Classifier classifier = make_classifier(a.model.load_and_warn(), a.runtime);

  Report report(a, classifier.classes());
  Predictor predictor(a, classifier, report);
  std::vector<std::string> unreadable;
  {
    Progress progress("Reading", static_cast<int64_t>(files.size()), "files");
    for (const auto& file : files) {
      throw_if_interrupted();
      try {
        if (has_video_extension(file)) {
          read_video(file, predictor, report);
        } else {
          predictor.add({file, {}, 0, picture_of_image(read_image(file, 3)), {}, {}, {}});
        }
      } catch (const UserError& error) {
        unreadable.push_back(error.what());
      }
      progress.advance(1);
    }
    predictor.flush();
  }
  report.finish();
  for (const auto& line : unreadable) warn(line);
  if (unreadable.empty()) return 0;
  warn(fmt::format("{} of {} files could not be read", unreadable.size(), files.size()));
  return 2;
}

nlohmann::json schema() {
  using namespace shape;
  const json face = object({{"emotion", text()},
                            {"confidence", share()},
                            {"box", Shape<Box>::schema()},
                            {"probabilities", described(map_of(share()), "of each class")}});
  return list(object({{"file", text()}, {"faces", list(face)}}, {{"frame", described(whole(), "of a video")},
                                                                 {"time", described(number(), "of it, in seconds")}}));
}

const Register<DocumentKind> document{{"predict", "--json of predict: pictures and frames with their faces", schema}};

const Register<Command> registered{{"predict", "name the emotion of every face in pictures and videos", run}};

}  // namespace

}  // namespace fercli::predict_command
