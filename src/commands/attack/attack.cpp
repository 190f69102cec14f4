// fercli attack: turns one emotion into another and shows the result.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "commands/attack/attack_input.hpp"
#include "commands/attack/attack_report.hpp"
#include "commands/explanation_tables.hpp"
#include "commands/options/attack_options.hpp"
#include "commands/options/data_options.hpp"
#include "commands/options/division_options.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/file_name.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"
#include "report/attack_export.hpp"

namespace fercli::attack_command {

namespace {

namespace fs = std::filesystem;

constexpr const char* kState = "attack.state";  ///< in the folder, while the attack is unfinished

struct Arguments {
  std::vector<std::string> goal;
  ModelOptions model;
  AttackOptions attack;
  std::string eps, out, save_png = "none", language = "en";
  AttackSource source;
  DataLabels labels;
  AttackPlan plan;
  DivisionOptions division;
  Runtime runtime;
  int64_t limit = 0;
  bool explain = false;
  ShowOptions show;

  bool saves_files() const { return !show.json || !out.empty() || save_png == "all"; }
};

OptionSet declare(Arguments& a) {
  OptionSet options("attack", "GOAL",
                    "Turn one emotion into another without visible change. GOAL is SOURCE-to-TARGET (happy-to-sad,\n"
                    "joie-to-tristesse), any-to-TARGET, SOURCE-to-any or untargeted. Several models, separated by\n"
                    "commas, are shown side by side.");
  options.positional(&a.goal, 1, 3);
  options.section("Images and network");
  a.model.declare(options);
  options.text("data,d", &a.source.data, "SOURCE", "data set; without it the shipped drawn faces");
  a.labels.declare(options);
  options.texts("image", &a.source.images, "FILE", "image files instead of a data set: each face in them is attacked");
  options.choice(
      "detect", &a.source.detect, {"auto", "always", "never"},
      "look for faces in --image, or take each file as one face crop; auto: files of the network's input size "
      "or up to 64x64 pixels are crops");
  options.text("detector", &a.source.detector, "haar|FILE",
               "OpenCV's cascade, another cascade (.xml), or YuNet (.onnx)");
  options.text("split", &a.source.split, "SPLIT",
               "Training, PublicTest, PrivateTest or all; auto takes PublicTest, else PrivateTest, else all");
  options.flag("skip-bad", &a.source.skip_bad, "leave unreadable images out and count them");
  options.number("min-confidence", &a.plan.min_confidence, "0.9", {0, 1, false, true},
                 "attack images that the network classifies rightly with more than this probability");
  options.integer("limit", &a.limit, at_least(0), "attack at most this many images; 0: all");
  a.division.declare_shard(options);
  options.section("Attack");
  options.text(
      "attack", &a.plan.attack, "ATTACK",
      "the attack, with parameters after a colon: pgd:steps=40,alpha=1/255; `fercli attacks` lists the attacks, "
      "`fercli attacks NAME` the parameters");
  options.number("eps", &a.plan.threat.eps, "", above(0),
                 "largest perturbation, pixels in [0,1]; without it 8/255 in Linf, 0.5 in L2, 8 in L1, 24 in L0");
  a.attack.declare(options);
  options.number("confidence", &a.attack.settings.confidence, "0", {0, 1, false, true},
                 "go on until the goal has this probability (success is counted without it)");
  options.flag("minimal-eps", &a.plan.minimal_eps, "also search the smallest eps that suffices, for each image");
  a.model.declare_foreign(options);
  a.model.declare_space(options);
  options.section("Output");
  options.text("out,o", &a.out, "DIR",
               "folder for pictures, result.json and per_image.csv; without it out/GOAL. An interrupted attack goes on "
               "from there");
  options.choice("save-png", &a.save_png, {"none", "all"}, "all: every adversarial image as DIR/adversarial/ID.png");
  declare_explain(options, &a.explain);
  options.choice("lang", &a.language, {"en", "fr"}, "language of the pictures");
  a.show.declare(options);
  options.integer("batch-size", &a.attack.settings.batch_size, at_least(1),
                  "images per network call; changes no result");
  a.model.declare_runtime(options, &a.runtime);
  a.division.declare_processes(options);
  return options;
}

void check(Arguments& a, const OptionSet& options) {
  a.goal = {goal_of_words(a.goal, options)};
  const auto names = a.attack.choose(options, "attack");
  if (names.size() != 1) options.fail("attack", "must be one attack");
  a.plan.attack = names.front();
  for (const char* name : {"data-labels", "classes", "map", "votes"})
    if (!a.source.images.empty() && options.given(name)) options.fail(name, "does not go with --image");
  // On a surrogate minimum-norm attacks stop at a first success, which may have to be a confident one.
  if (!a.attack.has_maker()) warn_if_unused(options, "confidence", {a.plan.attack});
  const Norm norm = a.plan.threat.norm = a.attack.parsed_norm();
  a.eps = options.given("eps") ? options.as_given("eps") : facts_of(norm).eps;
  a.plan.eps_text = a.eps;
  a.plan.threat.eps = parse_number(a.eps);
  check_eps(options, norm, a.plan.threat.eps);
  if (a.plan.minimal_eps && a.attack.has_maker()) {
    options.fail("minimal-eps", fmt::format("does not go with --{}", a.attack.eot > 0 ? "eot" : "surrogate"));
  }
  a.plan.settings = a.attack.settings;
  a.plan.seed = a.runtime.seed;
  a.attack.trust_code = a.model.trust_code;
}

/// Which rows to attack, and the exit code: 1 when only the best of the unsure images is left to show.
std::pair<std::vector<int64_t>, int> rows_to_attack(const AttackSelection& selection, const Dataset& dataset,
                                                    const AttackPlan& plan, const Arguments& a,
                                                    std::vector<std::string>& warnings) {
  const LabelSet& classes = dataset.classes;
  const std::string wanted = plan.goal.source ? "class " + classes.name(*plan.goal.source) : "a class to attack";
  if (selection.of_source.empty())
    throw RunError(
        fmt::format("fercli attack: {}: has no image of {}; --data or --image takes some", dataset.name, wanted));
  std::vector<int64_t> rows = selection.confident;
  if (rows.empty()) {
    const auto place = std::find(selection.of_source.begin(), selection.of_source.end(), *selection.best) -
                       selection.of_source.begin();
    const int64_t label = dataset.labels[*selection.best].item<int64_t>();
    warnings.push_back(fmt::format(
        "none of {} images of {} is classified rightly with more than {:g} %; the best is {} with {} {:.1f} %"
        " (lower --min-confidence to attack such images)",
        selection.of_source.size(), wanted, 100 * plan.min_confidence,
        dataset.ids[static_cast<size_t>(*selection.best)], classes.name(label),
        100 * selection.probabilities[place][label].item<double>()));
    return {{*selection.best}, 1};
  }
  if (!a.source.images.empty() && rows.size() < selection.of_source.size()) {
    warnings.push_back(fmt::format(
        "{} of {} files are left out: the network does not call them {} with more than {:g} %",
        selection.of_source.size() - rows.size(), selection.of_source.size(), wanted, 100 * plan.min_confidence));
  }
  if (a.limit > 0 && static_cast<int64_t>(rows.size()) > a.limit) rows.resize(static_cast<size_t>(a.limit));
  return {rows, 0};
}

PictureTexts texts_of(const AttackReport& report, const Arguments& a) {
  return {report.classes.names(),
          fmt::format("{}, {} eps {}", report.plan.attack, to_string(report.plan.threat.norm), report.eps), a.language};
}

void write_files(const AttackReport& report, const Arguments& a, const fs::path& folder) {
  const PictureTexts texts = texts_of(report, a);
  const auto& images = report.outcome.images;
  write_example(best_example(images, report.plan.goal), texts, folder);
  if (images.size() > 1) write_png(draw_gallery(images, texts), folder / "gallery.png");
  write_file(folder / "per_image.csv", format_per_image_csv(images, report.classes.names()));
  write_result(report.result, folder / "result.json");
}

/// One model after the attack, and what it takes to attack it once more.
struct Subject {
  AttackReport report;
  int exit_code;
  Classifier classifier;
  Dataset dataset;
};

/// Where the files of an attack go; of one attack on several models, in a folder for each below it.
using Place = std::unique_ptr<OutputFolder>;

Place make_place(const Arguments& a, const std::string& goal, const DividedWork& work) {
  if (!a.saves_files() || !work.has_results()) return nullptr;
  return std::make_unique<OutputFolder>(a.out.empty() ? fs::path("out") / file_name_of(goal) : fs::path(a.out),
                                        "attack");
}

/// The folder of one model's results, whether or not this process writes them.
fs::path results_folder(const Arguments& a, const Place& place, const std::string& subfolder) {
  const fs::path folder = place ? place->path() : fs::path(a.out);
  return subfolder.empty() ? folder : folder / subfolder;
}

/// Attacks one model. Its files go to `place`, which is made where there is none yet, and there to `subfolder`.
Subject attack_model(const Arguments& a, const std::string& name, const OptionSet& options, DividedWork& work,
                     Place& place, const std::string& subfolder = "") {
  ModelOptions model = a.model;
  model.model = name;
  const Checkpoint checkpoint = model.load();
  const Classifier classifier = make_classifier(checkpoint, a.runtime);
  AttackReport report;
  report.model = name;
  report.plan = a.plan;
  report.eps = a.eps;
  report.classes = classifier.classes();
  report.keeps_images = a.save_png == "all";
  report.explain = a.explain;
  report.plan.goal = parse_emotion_goal(a.goal.front(), report.classes);
  if (!place) place = make_place(a, report.plan.goal.name, work);
  if (place || work.ledgers_only()) report.folder = results_folder(a, place, subfolder);
  const fs::path work_folder = place ? place->work() / subfolder : fs::path();
  Observer& observer = ProgressObserver::terminal();
  ReadOptions read;
  read.observer = &observer;
  model.fit(read, checkpoint);
  a.labels.fill(read);
  auto [dataset, split] = load_attack_images(a.source, report.plan.goal, classifier, read);
  const auto& images = dataset.images;
  report.plan.mask = a.attack.load_mask(images.size(1), images.size(2), images.size(3));
  report.plan.surrogate = a.attack.image_maker(classifier, images, a.runtime);
  report.selection = select_images(classifier, dataset, report.plan, observer);
  std::vector<std::string> warnings = checkpoint.warnings;
  const auto [rows, exit_code] = rows_to_attack(report.selection, dataset, report.plan, a, warnings);
  for (const auto& line : warnings) warn(line);

  if (a.division.estimate) {
    std::vector<Trial> trials{report.plan.trial()};
    if (report.plan.minimal_eps) trials.push_back(report.plan.nearest({}));
    print_estimate({classifier, dataset.select(rows), checkpoint.digest}, trials);
    return {std::move(report), exit_code, classifier, std::move(dataset)};
  }
  CampaignOptions campaign;
  campaign.division = work.division();
  if (place) make_folder(report.folder);
  if (place || work.ledgers_only()) campaign.state = report.folder / kState;
  report.outcome = attack_images({classifier, dataset, checkpoint.digest}, rows, report.plan, campaign, observer);
  if (work.ledgers_only()) return {std::move(report), exit_code, classifier, std::move(dataset)};
  if (place && report.keeps_images) write_adversarial(report.outcome.images, work_folder);
  Result& result = report.result = summarise(report.outcome, report.selection, report.plan, report.classes);
  const auto kept = plain_warnings(warnings);
  result.warnings.insert(result.warnings.begin(), kept.begin(), kept.end());
  result.options = recorded_options(options);
  result.dataset = describe_dataset(dataset, split);
  result.add_model(describe_model(checkpoint, name));
  if (place) write_files(report, a, work_folder);
  return {std::move(report), exit_code, classifier, std::move(dataset)};
}

/// With the results of all models where they will be.
void put_in_place(Place& place, const std::vector<Subject>& subjects) {
  if (!place) return;
  place->complete();
  for (const auto& subject : subjects) {
    if (subject.report.outcome.complete) remove_attack_state(subject.report.folder / kState);
  }
}

void throw_if_incomplete(const AttackReport& report) {
  if (report.outcome.complete) return;
  const fs::path state = report.folder / kState;
  throw Interrupted(fmt::format("interrupted: {} images were finished{}", report.outcome.images.size(),
                                fs::exists(state) ? "; the same command goes on from " + state.string() : ""));
}

const AttackedImage* find_image(const AttackReport& report, const std::string& id) {
  const auto& images = report.outcome.images;
  const auto found = std::find_if(images.begin(), images.end(), [&](const auto& image) { return image.id == id; });
  return found == images.end() ? nullptr : &*found;
}

/// The face that is the best example of the first model among those that all models were attacked on, if there is one.
std::optional<std::string> shared_example(const std::vector<Subject>& subjects) {
  std::vector<AttackedImage> shared;
  for (const auto& image : subjects.front().report.outcome.images) {
    if (std::all_of(subjects.begin(), subjects.end(),
                    [&](const auto& subject) { return find_image(subject.report, image.id) != nullptr; })) {
      shared.push_back(image);
    }
  }
  if (shared.empty()) return std::nullopt;
  return best_example(shared, subjects.front().report.plan.goal).id;
}

/// Every face that the model classifies rightly, with its confidence.
std::map<std::string, double> right_faces(const Subject& subject) {
  std::map<std::string, double> faces;
  const auto& selection = subject.report.selection;
  const auto predicted = predicted_classes(selection.probabilities);
  for (size_t i = 0; i < selection.of_source.size(); ++i) {
    const int64_t row = selection.of_source[i], place = static_cast<int64_t>(i);
    const int64_t label = subject.dataset.labels[row].item<int64_t>();
    if (predicted[place].item<int64_t>() == label)
      faces[subject.dataset.ids[static_cast<size_t>(row)]] = selection.probabilities[place][label].item<double>();
  }
  return faces;
}

/// The face that all models classify rightly of which the least sure of them is surest.
std::optional<std::string> agreed_face(const std::vector<Subject>& subjects) {
  auto faces = right_faces(subjects.front());
  for (size_t i = 1; i < subjects.size(); ++i) {
    const auto others = right_faces(subjects[i]);
    for (auto face = faces.begin(); face != faces.end();) {
      const auto other = others.find(face->first);
      if (other == others.end()) {
        face = faces.erase(face);
      } else {
        face->second = std::min(face->second, other->second);
        ++face;
      }
    }
  }
  const auto best = std::max_element(faces.begin(), faces.end(),
                                     [](const auto& one, const auto& two) { return one.second < two.second; });
  if (best == faces.end()) return std::nullopt;
  return best->first;
}

/// What the attack made of this face; attacked now if it was not before.
AttackedImage attacked_face(const Subject& subject, const std::string& id) {
  if (const auto* image = find_image(subject.report, id)) return *image;
  const auto& ids = subject.dataset.ids;
  const int64_t row = std::find(ids.begin(), ids.end(), id) - ids.begin();
  return attack_images({subject.classifier, subject.dataset}, {row}, subject.report.plan).images.front();
}

/// One face, drawn once per model, one above the other: the best example that all models were attacked on, else the
/// face that they agree on best. Says so and returns false when there is none.
bool draw_comparison(const std::vector<Subject>& subjects, const Arguments& a, const fs::path& folder) {
  auto id = shared_example(subjects);
  if (!id) id = agreed_face(subjects);
  if (!id) {
    warn("no face is classified rightly by all models, so there is no picture of one face for all");
    return false;
  }
  std::vector<torch::Tensor> rows;
  for (const auto& subject : subjects) {
    PictureTexts texts = texts_of(subject.report, a);
    texts.attack = fmt::format("{} ({})", subject.report.model, subject.report.plan.attack);
    rows.push_back(draw_attack(attacked_face(subject, *id), texts));
  }
  write_png(torch::cat(rows, 1), folder / "adversarial_attack.png");
  return true;
}

int compare_models(const Arguments& a, const std::vector<std::string>& models, const OptionSet& options,
                   DividedWork& work) {
  std::vector<Subject> subjects;
  std::vector<std::string> names;
  Place place = make_place(a, to_lower(a.goal.front()), work);
  int worst_code = 0;
  names.reserve(models.size());
  for (const auto& name : models) names.push_back(unused_name(short_model_name(name), names));
  work.division({{"models", names}});
  for (size_t i = 0; i < models.size(); ++i) {
    subjects.push_back(attack_model(a, models[i], options, work, place, names[i]));
    subjects.back().report.model = names[i];
    worst_code = std::max(worst_code, subjects.back().exit_code);
    if (work.has_results()) throw_if_incomplete(subjects.back().report);
  }
  if (!work.has_results()) return worst_code;
  const bool drawn = place && draw_comparison(subjects, a, place->work());
  put_in_place(place, subjects);
  if (!a.show.json) {
    std::vector<const AttackReport*> reports;
    reports.reserve(subjects.size());
    for (const auto& subject : subjects) reports.push_back(&subject.report);
    print_comparison(reports, drawn ? place->path() / "adversarial_attack.png" : fs::path(), a.show);
    return worst_code;
  }
  print_text("[\n");
  for (size_t i = 0; i < subjects.size(); ++i) {
    print_text("{}{}", i ? "," : "", format_result(subjects[i].report.result));
  }
  print_text("]\n");
  return worst_code;
}

int attack(const Arguments& a, const OptionSet& options, DividedWork& work) {
  const auto models = model_names(a.model.model);
  if (models.size() > 1) return compare_models(a, models, options, work);
  Place place;
  const std::vector<Subject> subjects{attack_model(a, a.model.model, options, work, place)};
  const Subject& subject = subjects.front();
  if (!work.has_results()) return subject.exit_code;
  put_in_place(place, subjects);
  print_attack(subject.report, a.show);
  throw_if_incomplete(subject.report);
  return subject.exit_code;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options = declare(a);
  if (!options.parse(arguments)) return 0;
  a.show.begin(options);
  a.division.check(options, a.out);
  DividedWork work(a.division, words_of("attack", arguments), a.out);
  prepare_machine(a.division.shared(a.runtime));
  check(a, options);
  return work.run([&](DividedWork& divided) { return attack(a, options, divided); });
}

const Register<Command> registered{{"attack", "turn one emotion into another without visible change", run}};

}  // namespace

}  // namespace fercli::attack_command
