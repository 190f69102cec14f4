// fercli patch: glasses or a sticker that turn the emotion of whoever wears them.
#include "attacks/patch.hpp"

#include <fmt/format.h>

#include "commands/set_attack.hpp"
#include "core/command.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "data/image.hpp"
#include "report/attack_export.hpp"

namespace fercli::patch_command {

namespace {

constexpr int64_t kPrintedSide = 960;

struct Arguments {
  SetAttack set{"patch"};
  std::string shape = "glasses";
  double spread = 1;
  PatchSettings settings;
};

OptionSet declare(Arguments& a) {
  OptionSet options("patch", "GOAL",
                    "Learn a patch to print and wear, and score it on other faces and other placements. GOAL is as in\n"
                    "`fercli attack`: any-to-happy, sad-to-neutral, untargeted.");
  a.set.declare_input(options);
  options.section("Patch");
  options.choice("shape", &a.shape, patch_shape_names(),
                 "frame around the eyes, disc on the cheek, or band across the forehead");
  options.integer("steps", &a.settings.steps, at_least(1), "steps of the descent");
  options.integer("images-per-step", &a.settings.images_per_step, at_least(1),
                  "images that each step looks at, each with a placement of its own");
  options.number("spread", &a.spread, "1", {0, 4},
                 "how far placements differ: 1 is 3 % of the side, 8 % in size, 6 degrees, 15 % in brightness");
  a.set.declare_output(options);
  return options;
}

Patch learn(const Arguments& a, const Classifier& classifier, const Dataset& images, const EmotionGoal& goal,
            const Rng& rng) {
  PatchSettings settings = a.settings;
  Progress progress("Learning", settings.steps, "steps");
  settings.progress = [&](int64_t, double loss) {
    progress.note(fmt::format("loss {:.3f}", loss));
    progress.advance(1);
  };
  return learn_patch(classifier, a.shape, settings, images.images, goal.for_labels(images.labels), rng);
}

/// The patch on every image, placed by the image's pixels.
torch::Tensor worn(const Patch& patch, const Dataset& images, const Arguments& a, const Rng& rng) {
  return wear(patch, images.images, a.settings.spread, rng, image_keys(images.images));
}

std::string title_of(const EmotionGoal& goal, const Arguments& a, const Result& result) {
  return fmt::format("{}: {} over {:.1f} % of the face crop", goal.name, a.shape,
                     100 * result.tables.at("covered_share").get<double>());
}

void print_report(const std::string& title, const std::string& table, const SetImages& sets,
                  const std::vector<AttackedImage>& images, const EmotionGoal& goal, const Arguments& a,
                  const LabelSet& classes) {
  print_text("{}\n", title);
  print_text("learnt from {} images ({}), scored on {} others ({}) in new placements, all classified rightly\n\n",
             sets.learn.size(), sets.learn_split, sets.test.size(), sets.test_split);
  write_stdout(table);
  print_text("The network then says    {}\n", verdicts_after(images, classes));
  if (!a.set.saves_files()) return;
  const std::string folder = a.set.folder(goal).string();
  print_text("\n  {0}/patch.png, patch_print.png\n  {0}/gallery.png, adversarial_attack.png\n", folder);
  print_text("  {}/result.json, per_image.csv\n", folder);
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options = declare(a);
  if (!options.parse(arguments)) return 0;
  a.settings.spread = PlacementSpread().times(a.spread);
  a.set.show.begin(options);
  prepare_machine(a.set.runtime);
  const Checkpoint checkpoint = a.set.model.load();
  for (const auto& line : checkpoint.warnings) warn(line);
  const Classifier classifier = make_classifier(checkpoint, a.set.runtime);
  const EmotionGoal goal = parse_emotion_goal(a.set.goal_words.front(), classifier.classes());
  const auto place = a.set.output(goal);
  const SetImages sets = load_set_images(a.set, checkpoint, classifier, goal);
  const Rng rng = Rng(a.set.runtime.seed).split("patch"), scoring = rng.split("score");
  const Patch patch = learn(a, classifier, sets.learn, goal, rng);

  const auto images =
      compare_stored(classifier, sets.test, worn(patch, sets.test, a, scoring), goal, ProgressObserver::terminal());
  Result result = summarise_set(a.set, options, images, sets, checkpoint);
  result.threat_model = {{"goal", goal.name}, {"shape", a.shape}, {"spread", a.spread}};
  result.attacks = {{{"name", "patch"}, {"shape", a.shape}, {"steps", a.settings.steps}}};
  result.tables["covered_share"] = patch.cover.mean().item<double>() * patch.size * patch.size;
  const auto score = [&](const Patch& other, const Dataset& set) {
    return success_of(classifier, set, worn(other, set, a, scoring), goal);
  };
  result.metrics["success_learn"] = score(patch, sets.learn);
  result.metrics["success_random"] = score(random_patch(patch, rng.split("random")), sets.test);
  result.metrics["success_grey"] =
      score(blank_patch(a.shape, patch.pixels.size(0), images[0].original.size(1)), sets.test);
  if (place) {
    const auto folder = place->work();
    const auto print = printable(patch);
    write_png(print, folder / "patch.png");
    write_png(enlarge_image(print, std::max<int64_t>(1, kPrintedSide / print.size(1))), folder / "patch_print.png");
    write_set_files(result, images, {classifier.classes().names(), "patch: " + a.shape, a.set.language}, goal, folder);
    place->complete();
  }
  const std::string title = title_of(goal, a, result);
  show_success(
      a.set, result, title,
      {{"success_learn", "  where it was learnt"},
       {"success_random", "  random, the same shape"},
       {"success_grey", "  grey, the same shape"}},
      [&](const std::string& table) { print_report(title, table, sets, images, goal, a, classifier.classes()); });
  return 0;
}

const Register<Command> registered{{"patch", "learn glasses or a sticker that turn the emotion of their wearer", run}};

}  // namespace

}  // namespace fercli::patch_command
