// fercli frame: perturbs a whole picture so that the face found in it is read as something else.
#include <fmt/format.h>

#include <algorithm>

#include "attacks/frame_attack.hpp"
#include "commands/options/attack_options.hpp"
#include "commands/set_attack.hpp"
#include "core/command.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/notice.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/progress.hpp"
#include "data/drawn/face.hpp"
#include "data/image.hpp"
#include "draw/overlay.hpp"
#include "report/attack_export.hpp"

namespace fercli::frame_command {

namespace {

namespace fs = std::filesystem;

constexpr int64_t kDrawnSide = 480, kDrawnPeople = 8;

struct Arguments {
  std::vector<std::string> goal;
  ModelOptions model;
  SmallestFace smallest_face;
  std::string image, detector = "haar", norm = "linf", out, language = "en";
  int64_t face = 0;
  FrameAttackSettings settings;
  Runtime runtime;
  ShowOptions show;

  bool saves_files() const { return !show.json || !out.empty(); }
};

OptionSet declare(Arguments& a) {
  OptionSet options(
      "frame", "GOAL",
      "Perturb a whole picture, as a camera delivers it, so that the face in it is read as another emotion\n"
      "after detection, crop, grey conversion and resize; all of that is run again on the result.");
  options.positional(&a.goal, 1, 3);
  options.section("Picture and network");
  a.model.declare(options);
  options.text("image,i", &a.image, "FILE",
               "a picture with a face; without it a drawn portrait with the emotion SOURCE");
  options.integer("face", &a.face, at_least(0),
                  "which of the faces found, the largest is 1; 0: the largest that is read as SOURCE");
  options.text("detector", &a.detector, "haar|FILE", "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx)");
  options.number(
      "min-face", &a.smallest_face.pixels, "", at_least(24),
      "smallest face looked for, in pixels; without it a fortieth of the picture's shorter side, but at least 24");
  options.section("Attack");
  options.choice("norm", &a.norm, {"linf", "l2"}, "how the size of the perturbation is measured, over the whole frame");
  options.number("eps", &a.settings.threat.eps, "", above(0),
                 "largest perturbation, pixels in [0,1]; without it 8/255 in Linf, 4 in L2");
  options.integer("steps", &a.settings.steps, at_least(1),
                  "steps at most; it ends when the detected box and the shifted ones reach the goal");
  options.number("alpha", &a.settings.alpha, "", above(0), "step size; without it 2.5 eps / steps");
  options.number("confidence", &a.settings.confidence, "0", {0, 1, false, true},
                 "go on until the goal has this probability (success is counted without it)");
  options.integer("shifted", &a.settings.shifted, at_least(0),
                  "shifted boxes whose crops are attacked beside the detected one");
  a.model.declare_foreign(options);
  options.section("Output");
  options.text("out,o", &a.out, "DIR", "folder for pictures and result.json; without it out/frame-GOAL");
  options.choice("lang", &a.language, {"en", "fr"}, "language of the pictures");
  a.show.declare(options);
  a.model.declare_runtime(options, &a.runtime);
  return options;
}

void check(Arguments& a, const OptionSet& options) {
  auto& threat = a.settings.threat;
  threat.norm = parse_norm(a.norm);
  if (!options.given("eps")) threat.eps = parse_number(facts_of(threat.norm).frame_eps);
  check_eps(options, threat.norm, threat.eps);
  if (options.given("alpha")) check_alpha(options, threat.norm == Norm::Linf, a.settings.alpha);
}

/// Of some drawn people, the first whom the program finds and reads as SOURCE; else the last one found.
Picture draw_portrait(const Arguments& a, const Classifier& classifier, FaceDetector& detector,
                      const EmotionGoal& goal) {
  const LabelSet& classes = classifier.classes();
  const int64_t wanted = goal.source.value_or(goal.target == 0 ? 1 : 0);
  if (find_emotion(classes.name(wanted)) == nullptr) {
    throw UserError(
        fmt::format("fercli frame: no face with the emotion {} can be drawn; give --image FILE", classes.name(wanted)));
  }
  const Rng rng = Rng(a.runtime.seed).split("portrait");
  Picture shown;
  for (int64_t person = 0; person < kDrawnPeople; ++person) {
    FaceParameters face = random_face(classes.name(wanted), rng.split(static_cast<uint64_t>(person)));
    face.framing = Framing::Portrait;
    Picture picture = picture_of_image(draw_face(face, kDrawnSide, 3));
    const auto boxes = detector.find_all(picture);
    if (boxes.size() != 1) continue;
    shown = picture;
    if (read_faces(classifier, picture, boxes).front().top() == wanted) return picture;
  }
  if (!shown.bgr.defined())
    throw RunError("fercli frame: the detector finds none of the drawn faces; give --image FILE");
  return shown;
}

/// Without --face the largest face that the goal concerns, else the largest: its place by size, from 1. Says what a
/// reader would not expect: that another face than the largest is attacked, or one that the goal does not concern.
int64_t choose_face(const Arguments& a, const Classifier& classifier, FaceDetector& detector, const Picture& picture,
                    const EmotionGoal& goal) {
  const auto boxes = find_by_size(detector, picture);
  if (boxes.empty() || a.face > static_cast<int64_t>(boxes.size()))
    return std::max<int64_t>(1, a.face);  // refused later
  const auto faces = read_faces(classifier, picture, boxes);
  const auto reading = [&](const FaceReading& face) {
    const char* already = face.top() == goal.target ? " already" : "";
    return fmt::format("is read as {}{}", classifier.classes().name(face.top()), already);
  };
  const auto wanted =
      std::find_if(faces.begin(), faces.end(), [&](const auto& face) { return goal.concerns(face.top()); });
  const int64_t fitting = wanted == faces.end() ? 1 : wanted - faces.begin() + 1;
  const int64_t chosen = a.face > 0 ? a.face : fitting;
  const FaceReading& face = faces[static_cast<size_t>(chosen - 1)];
  if (!goal.concerns(face.top())) {
    warn(fmt::format(
        "face {} of {} {}, so no success is counted{}", chosen, faces.size(), reading(face),
        wanted == faces.end() ? "" : fmt::format("; face {} {} (--face {})", fitting, reading(*wanted), fitting)));
  } else if (a.face == 0 && chosen > 1) {
    inform(fmt::format("the largest face {}; face {} of {} is attacked, which {} (--face N takes another)",
                       reading(faces.front()), chosen, faces.size(), reading(face)));
  }
  return chosen;
}

torch::Tensor marked(const Picture& picture, const FaceReading& face, Overlay& overlay) {
  auto bgr = picture.bgr.clone();
  overlay.draw_faces(bgr, {{0, face.box, face.top(), face.probabilities}}, false);
  return bgr;
}

nlohmann::json to_json(const FaceReading& face, const LabelSet& classes) {
  return {{"class", classes.name(face.top())},
          {"probabilities", face.probabilities},
          {"box", {{"x", face.box.x}, {"y", face.box.y}, {"width", face.box.width}, {"height", face.box.height}}}};
}

Result summarise(const Arguments& a, const OptionSet& options, const FrameAttackResult& found,
                 const Checkpoint& checkpoint, const EmotionGoal& goal) {
  Result result;
  result.command = "frame";
  const bool counts = goal.concerns(found.before.top());
  result.n = counts;
  result.metrics["success_8bit"] = proportion(counts && found.after.reached, counts);
  result.metrics["detected"] = proportion(found.after.found, 1);
  result.metrics["success_shifted_boxes"] = counts ? proportion(found.steady, found.shifted) : proportion(0, 0);
  result.threat_model = {{"norm", to_string(a.settings.threat.norm)},
                         {"eps", a.settings.threat.eps},
                         {"goal", goal.name},
                         {"eps_levels", describe_levels(a.settings.threat.norm, a.settings.threat.eps)}};
  result.attacks = {{{"name", "frame"}, {"steps", a.settings.steps}, {"shifted", a.settings.shifted}}};
  result.seed = a.runtime.seed;
  result.options = options.provenance();
  DataFacts picture;
  picture.name = a.image.empty() ? "drawn portrait" : a.image;
  picture.width = found.picture.width();
  picture.height = found.picture.height();
  picture.faces = found.faces;
  result.dataset = Shape<DataFacts>::write(picture);
  result.add_model(describe_model(checkpoint, a.model.model));
  result.warnings = plain_warnings(checkpoint.warnings);
  result.tables["before"] = to_json(found.before, checkpoint.classes);
  if (found.after.found) result.tables["after"] = to_json(found.after.face, checkpoint.classes);
  result.tables["steps"] = found.steps;
  result.tables["linf"] = found.linf;
  result.tables["l2"] = found.l2;
  return result;
}

/// Before and after, side by side with what the program reads in them, and the crops that the network saw.
void write_pictures(const Arguments& a, const Picture& original, const FrameAttackResult& found,
                    const LabelSet& classes, const fs::path& folder) {
  Overlay overlay(classes.names(), a.language);
  const auto before = marked(original, found.before, overlay);
  const auto after = found.after.found ? marked(found.picture, found.after.face, overlay) : found.picture.bgr;
  write_png(image_of_bgr(torch::cat({before, after}, 1)), folder / "frame_attack.png");
  const int64_t factor = display_factor(found.before.crop);
  write_png(enlarge_image(found.before.crop, factor), folder / "original_crop.png");
  if (found.after.found) write_png(enlarge_image(found.after.face.crop, factor), folder / "adversarial_crop.png");
}

std::string verdict(const FaceReading& face, const LabelSet& classes) {
  return fmt::format("{} {:.1f} %", classes.name(face.top()), 100 * face.confidence());
}

/// What became of the goal, for a reader.
const char* outcome_of(const Result& result, const FrameAttackResult& found) {
  if (result.n == 0) return "not counted, as the face was read otherwise before";
  return found.after.reached ? "reached" : "not reached";
}

void print_report(const Arguments& a, const Result& result, const FrameAttackResult& found, const LabelSet& classes,
                  const fs::path& folder) {
  print_text("{}: {} frame of {}x{} pixels, {} eps {}\n", result.threat_model.at("goal").get<std::string>(),
             a.image.empty() ? "drawn" : a.image, found.picture.width(), found.picture.height(),
             to_string(a.settings.threat.norm), format_eps(a.settings.threat.eps, a.settings.threat.norm));
  print_levels_note(a.settings.threat.norm, a.settings.threat.eps);
  print_text("  before   {}\n", verdict(found.before, classes));
  print_text("  after    {}\n",
             found.after.found ? verdict(found.after.face, classes) : "no face is found there any more");
  print_text("  goal     {} (8-bit frame read back, face detected anew; {} steps, Linf {}/255, L2 {:.2f})\n",
             outcome_of(result, found), found.steps, std::lround(found.linf * 255), found.l2);
  print_text("  boxes shifted by up to {:g} %: reached in {}\n", 100 * a.settings.shift,
             format_proportion(result.metrics.at("success_shifted_boxes")));
  if (!a.saves_files()) return;
  print_text(
      "\n  {0}/frame_attack.png   before | after\n  {0}/original_frame.png, adversarial_frame.png, result.json\n",
      folder.string());
}

void print_result(const Arguments& a, const Result& result, const FrameAttackResult& found, const LabelSet& classes,
                  const EmotionGoal& goal, const fs::path& folder) {
  const std::string after = found.after.found ? verdict(found.after.face, classes) : "no face";
  if (a.show.json) return print_text("{}", format_result(result));
  if (a.show.text() && !a.show.quiet) return print_report(a, result, found, classes, folder);
  const char* reached = outcome_of(result, found);
  if (a.show.text()) return print_text("{}: {}, {} -> {}\n", goal.name, reached, verdict(found.before, classes), after);
  PrintedTable table{goal.name, {"frame", "before", "after", "goal", "boxes shifted: reached"}, {}};
  table.rows.push_back({a.image.empty() ? "drawn" : a.image, verdict(found.before, classes), after, reached,
                        proportion_cell(result.metrics.at("success_shifted_boxes"))});
  a.show.print({table});
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options = declare(a);
  if (!options.parse(arguments)) return 0;
  check(a, options);
  a.show.begin(options);
  prepare_machine(a.runtime);
  const Checkpoint checkpoint = a.model.load();
  for (const auto& line : checkpoint.warnings) warn(line);
  const Classifier classifier = make_classifier(checkpoint, a.runtime);
  const LabelSet& classes = classifier.classes();
  const EmotionGoal goal = parse_emotion_goal(goal_of_words(a.goal, options), classes);
  const fs::path folder = a.out.empty() ? fs::path("out") / file_name_of("frame-" + goal.name) : fs::path(a.out);
  std::optional<OutputFolder> place;
  if (a.saves_files()) place.emplace(folder, "frame");
  const auto detector = make_face_detector(a.detector, {a.smallest_face});
  const Picture original =
      a.image.empty() ? draw_portrait(a, classifier, *detector, goal) : picture_of_image(read_image(a.image, 3));

  a.face = choose_face(a, classifier, *detector, original, goal);
  FrameAttackResult found;
  {
    Progress progress("Attacking", a.settings.steps, "steps");
    a.settings.progress = [&](int64_t) { progress.advance(1); };
    found = attack_frame(classifier, *detector, original, static_cast<size_t>(a.face - 1), goal, a.settings,
                         Rng(a.runtime.seed).split("frame"));
  }
  if (place) {
    const fs::path folder = place->work();
    write_png(image_of_bgr(original.bgr), folder / "original_frame.png");
    write_png(image_of_bgr(found.picture.bgr), folder / "adversarial_frame.png");
    const Picture stored = picture_of_image(read_image(folder / "adversarial_frame.png", 3));
    found.after = read_frame(classifier.with_precision(Precision::Float32), *detector, stored, found.before.box, goal,
                             goal.source.value_or(found.before.top()));
    write_pictures(a, original, found, classes, folder);
  }
  const Result result = summarise(a, options, found, checkpoint, goal);
  if (place) {
    write_result(result, place->work() / "result.json");
    place->complete();
  }
  print_result(a, result, found, classes, goal, folder);
  return 0;
}

const Register<Command> registered{
    {"frame", "perturb a whole picture so that its face is read as another emotion", run}};

}  // namespace

}  // namespace fercli::frame_command
