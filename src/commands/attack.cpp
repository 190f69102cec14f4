// fercli attack: turns one emotion into another and shows the result.
#include <fmt/format.h>

#include "attacks/losses.hpp"
#include "commands/attack_input.hpp"
#include "core/command.hpp"
#include "core/files.hpp"
#include "core/options.hpp"
#include "core/progress.hpp"
#include "data/image.hpp"
#include "models/checkpoint.hpp"
#include "report/attack_export.hpp"

namespace fercli {

namespace {

constexpr double kDefaultL2 = 0.5;
constexpr size_t kRowsShown = 10;

struct Arguments {
  std::vector<std::string> goal;
  ModelOptions model;
  std::string norm = "linf", out, save_png = "none", language = "en";
  AttackSource source;
  AttackPlan plan;
  Runtime runtime;
  int64_t limit = 0;
  bool json = false, quiet = false;

  bool saves_files() const { return !json || !out.empty() || save_png == "all"; }
};

OptionSet declare(Arguments& a) {
  OptionSet options("attack", "GOAL",
                    "Turn one emotion into another without visible change. GOAL is SOURCE-to-TARGET (happy-to-sad,\n"
                    "joie-to-tristesse), any-to-TARGET, SOURCE-to-any or untargeted.");
  options.positional(&a.goal, 1, 1);
  options.section("Images and network");
  a.model.declare(options);
  options.text("data,d", &a.source.data, "DATA", "data set; without it the shipped drawn faces");
  options.texts("image", &a.source.images, "FILE", "image files (face crops) instead of a data set");
  options.text("split", &a.source.split, "SPLIT",
               "Training, PublicTest, PrivateTest or all; auto takes PublicTest, else PrivateTest, else all");
  options.flag("skip-bad", &a.source.skip_bad, "leave unreadable images out and count them");
  options.number("min-confidence", &a.plan.min_confidence, "0.9", {0, 1, false, true},
                 "attack images that the network classifies rightly with more than this probability");
  options.integer("limit", &a.limit, at_least(0), "attack at most this many images; 0: all");
  options.section("Attack");
  options.choice("attack", &a.plan.attack, Registry<AttackEntry>::instance().names(), "the attack");
  options.choice("norm", &a.norm, {"linf", "l2"}, "how the size of the perturbation is measured");
  options.number("eps", &a.plan.threat.eps, "8/255", above(0),
                 "largest perturbation, pixels in [0,1]; without it 0.5 in L2");
  options.number("alpha", &a.plan.settings.alpha, "", above(0), "step size; without it the attack's own rule");
  options.integer("steps", &a.plan.settings.steps, at_least(0), "steps; 0: the attack's own number");
  options.integer("restarts", &a.plan.settings.restarts, at_least(1),
                  "starts: the first from the original, the others from random points; a solved image starts no more");
  options.flag("random-start", &a.plan.settings.random_start, "begin the first start at a random point too");
  options.text("loss", &a.plan.settings.loss, "ce|margin", "what is descended; without it the attack's own choice");
  options.number("confidence", &a.plan.settings.confidence, "0", {0, 1, false, true},
                 "go on until the goal has this probability (success is counted without it)");
  options.flag("minimal-eps", &a.plan.minimal_eps, "also search the smallest eps that suffices, for each image");
  a.model.declare_foreign(options);
  a.model.declare_space(options);
  options.section("Output");
  options.text("out,o", &a.out, "DIR", "folder for pictures, result.json and per_image.csv; without it out/GOAL");
  options.choice("save-png", &a.save_png, {"none", "all"}, "all: every adversarial image as DIR/adversarial/ID.png");
  options.choice("lang", &a.language, {"en", "fr"}, "language of the pictures");
  options.flag("json", &a.json, "print the result as JSON on stdout, nothing else");
  options.flag("quiet,q", &a.quiet, "no progress");
  options.integer("batch-size", &a.plan.settings.batch_size, at_least(1), "images per network call; changes no result");
  options.runtime(&a.runtime);
  return options;
}

void check(Arguments& a, const OptionSet& options) {
  a.plan.threat.norm = parse_norm(a.norm);
  a.plan.seed = a.runtime.seed;
  double& eps = a.plan.threat.eps;
  if (a.plan.threat.norm == Norm::L2 && !options.given("eps")) eps = kDefaultL2;
  if (a.plan.threat.norm == Norm::Linf && eps > 1) {
    options.fail(
        "eps", fmt::format("must be in (0, 1]{}",
                           eps <= 255 ? fmt::format("; pixels are scaled to [0,1], did you mean {:g}/255?", eps) : ""));
  }
  if (!a.plan.settings.loss.empty()) find_goal_loss(a.plan.settings.loss);
}

std::string eps_text(const Arguments& a, const OptionSet& options) {
  return options.given("eps") || a.plan.threat.norm == Norm::Linf ? options.as_given("eps")
                                                                  : fmt::format("{:g}", kDefaultL2);
}

std::string verdict(const std::vector<double>& probabilities, const LabelSet& classes) {
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  return fmt::format("{} {:.1f} %", classes.name(best - probabilities.begin()), 100 * *best);
}

std::string in_levels(double eps, Norm norm) {
  if (!std::isfinite(eps)) return "none";
  return norm == Norm::Linf ? fmt::format("{:g}/255", std::round(eps * 255 * 16) / 16) : fmt::format("{:.2f}", eps);
}

/// The end of a long id, so that columns stay in line.
std::string shortened(const std::string& id, size_t room) {
  return id.size() <= room ? id : "..." + id.substr(id.size() - room + 3);
}

void print_table(const std::vector<AttackedImage>& images, const AttackedImage& best, const Arguments& a,
                 const LabelSet& classes) {
  fmt::print("  {:<30}  {:<16}    {:<16}  {:>7}  {:>6}  {:>7}  {:>5}{}\n", "image", "before", "after", "Linf", "L2",
             "PSNR", "SSIM", a.plan.minimal_eps ? "  minimal eps" : "");
  const auto print_row = [&](const AttackedImage& image) {
    const std::string noise = std::isfinite(image.psnr) ? fmt::format("{:.1f} dB", image.psnr) : "-";
    const std::string minimal =
        image.minimal_eps ? fmt::format("  {:>11}", in_levels(*image.minimal_eps, a.plan.threat.norm)) : "";
    fmt::print("  {:<30}  {:<16} {} {:<16}  {:>7}  {:>6.2f}  {:>7}  {:>5.3f}{}\n", shortened(image.id, 30),
               verdict(image.clean, classes), image.success ? "->" : "  ", verdict(image.after, classes),
               fmt::format("{}/255", std::lround(image.linf * 255)), image.l2, noise, image.ssim, minimal);
  };
  print_row(best);
  size_t shown = 1;
  for (const auto& image : images) {
    if (&image == &best) continue;
    if (shown++ < kRowsShown) print_row(image);
  }
  if (shown > kRowsShown) fmt::print("  ... and {} more\n", images.size() - kRowsShown);
}

void print_report(const AttackOutcome& outcome, const Result& result, const AttackSelection& selection,
                  const Arguments& a, const LabelSet& classes, const EmotionGoal& goal, const std::string& folder,
                  const std::string& eps) {
  fmt::print("{}: {} in {}, eps {}\n", goal.name, a.plan.attack, to_string(a.plan.threat.norm), eps);
  fmt::print("{} images {}; {} of them classified so with more than {:g} %\n\n", selection.of_source.size(),
             goal.source ? "of class " + classes.name(*goal.source) : "of the classes attacked",
             selection.confident.size(), 100 * a.plan.min_confidence);
  const AttackedImage& best = best_example(outcome.images, goal);
  print_table(outcome.images, best, a, classes);
  fmt::print("\nSuccess, 8-bit images  {}\n", format_proportion(result.metrics.at("success_8bit")));
  fmt::print("Off the pixel grid     {}\n", format_proportion(result.metrics.at("success_float")));
  if (a.plan.minimal_eps) {
    const Metric& median = result.metrics.at("median_minimal_eps");
    fmt::print("Median minimal eps     {} (n = {}, 95 % CI {} to {})\n", in_levels(median.value, a.plan.threat.norm),
               median.n, in_levels(median.interval.low, a.plan.threat.norm),
               in_levels(median.interval.high, a.plan.threat.norm));
  }
  fmt::print("\nBest example: {} -> {}, Linf {}/255, PSNR {:.1f} dB\n", verdict(best.clean, classes),
             verdict(best.after, classes), std::lround(best.linf * 255), best.psnr);
  fmt::print(
      "  {0}/adversarial_attack.png   original | perturbation | adversarial\n  {0}/original.png, adversarial.png\n",
      folder);
  if (outcome.images.size() > 1) fmt::print("  {}/gallery.png\n", folder);
  fmt::print("  {0}/result.json, per_image.csv{1}\n", folder, a.save_png == "all" ? ", adversarial/" : "");
}

/// Which rows to attack, and the exit code: 1 when only the best of the unsure images is left to show.
std::pair<std::vector<int64_t>, int> rows_to_attack(const AttackSelection& selection, const Dataset& dataset,
                                                    const Arguments& a, std::vector<std::string>& warnings) {
  const LabelSet& classes = dataset.classes;
  const std::string wanted = a.plan.goal.source ? "class " + classes.name(*a.plan.goal.source) : "a class to attack";
  if (selection.of_source.empty())
    throw RunError(fmt::format("fercli attack: {}: has no image of {}", dataset.name, wanted));
  std::vector<int64_t> rows = selection.confident;
  if (rows.empty()) {
    const auto place = std::find(selection.of_source.begin(), selection.of_source.end(), *selection.best) -
                       selection.of_source.begin();
    const int64_t label = dataset.labels[*selection.best].item<int64_t>();
    warnings.push_back(fmt::format(
        "none of {} images of {} is classified rightly with more than {:g} %; the best is {} with {} {:.1f} %"
        " (lower --min-confidence to attack such images)",
        selection.of_source.size(), wanted, 100 * a.plan.min_confidence,
        dataset.ids[static_cast<size_t>(*selection.best)], classes.name(label),
        100 * selection.probabilities[place][label].item<double>()));
    return {{*selection.best}, 1};
  }
  if (!a.source.images.empty() && rows.size() < selection.of_source.size()) {
    warnings.push_back(fmt::format(
        "{} of {} files are left out: the network does not call them {} with more than {:g} %",
        selection.of_source.size() - rows.size(), selection.of_source.size(), wanted, 100 * a.plan.min_confidence));
  }
  if (a.limit > 0 && static_cast<int64_t>(rows.size()) > a.limit) rows.resize(static_cast<size_t>(a.limit));
  return {rows, 0};
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options = declare(a);
  if (!options.parse(arguments)) return 0;
  check(a, options);
  silence_progress(a.quiet);
  prepare_machine(a.runtime);
  const Checkpoint checkpoint = a.model.load();
  const Classifier classifier = make_classifier(checkpoint, a.runtime);
  const LabelSet& classes = classifier.classes();
  const EmotionGoal goal = a.plan.goal = parse_emotion_goal(a.goal.front(), classes);
  ReadOptions read;
  a.model.fit(read, checkpoint);
  const auto [dataset, split] = load_attack_images(a.source, goal, classifier, read);
  const AttackSelection selection = select_images(classifier, dataset, a.plan);
  std::vector<std::string> warnings = checkpoint.warnings;
  const auto [rows, exit_code] = rows_to_attack(selection, dataset, a, warnings);
  for (const auto& line : warnings) warn(line);

  const std::filesystem::path folder =
      a.out.empty() ? std::filesystem::path("out") / goal.name : std::filesystem::path(a.out);
  if (a.saves_files()) make_folder(folder);
  AttackOutcome outcome = attack_images(classifier, dataset, rows, a.plan);
  if (a.saves_files()) round_trip_png(outcome.images, classifier, goal, folder, a.save_png == "all");
  Result result = summarise(outcome, selection, a.plan, classes);
  result.warnings.insert(result.warnings.begin(), warnings.begin(), warnings.end());
  result.options = options.provenance();
  result.dataset = describe_dataset(dataset, split);
  result.model = describe_model(checkpoint, a.model.model);

  const std::string eps = eps_text(a, options);
  if (a.saves_files()) {
    const PictureTexts texts{
        classes.names(), fmt::format("{}, {} eps {}", a.plan.attack, to_string(a.plan.threat.norm), eps), a.language};
    write_example(best_example(outcome.images, goal), texts, folder);
    if (outcome.images.size() > 1) write_png(draw_gallery(outcome.images, texts), folder / "gallery.png");
    write_file(folder / "per_image.csv", format_per_image_csv(outcome.images, classes.names()));
    write_result(result, folder / "result.json");
  }
  if (a.json)
    fmt::print("{}", format_result(result));
  else
    print_report(outcome, result, selection, a, classes, goal, folder.string(), eps);
  if (!outcome.complete)
    throw Interrupted(fmt::format("interrupted: {} of {} images were finished", outcome.images.size(), rows.size()));
  return exit_code;
}

const Register<Command> registered{{"attack", "turn one emotion into another without visible change", run}};

}  // namespace

}  // namespace fercli
