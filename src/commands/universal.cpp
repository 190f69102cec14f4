// fercli universal: one perturbation that turns the emotion of many faces.
#include "attacks/universal.hpp"

#include <fmt/format.h>

#include "attacks/threat/losses.hpp"
#include "attacks/threat/masks.hpp"
#include "commands/options/attack_options.hpp"
#include "commands/options/division_options.hpp"
#include "commands/set_attack.hpp"
#include "core/command.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "data/image.hpp"
#include "eval/campaign/logit_store.hpp"
#include "report/attack_export.hpp"

namespace fercli::universal_command {

namespace {

struct Arguments {
  SetAttack set{"universal"};
  std::string norm = "linf", mask, load;
  std::string load_digest;  ///< of the file; "" where there is none
  ThreatModel threat;
  UniversalSettings settings;
  DivisionOptions division;
};

OptionSet declare(Arguments& a) {
  OptionSet options(
      "universal", "GOAL",
      "Learn one perturbation for all faces and score it on faces that it was not learnt from. GOAL is as in\n"
      "`fercli attack`: any-to-sad, happy-to-sad, untargeted.");
  a.set.declare_input(options);
  options.section("Perturbation");
  options.choice("norm", &a.norm, {"linf", "l2"}, "how the size of the perturbation is measured");
  options.number("eps", &a.threat.eps, "", above(0), "size, pixels in [0,1]; without it 8/255 in Linf, 2 in L2");
  options.integer("steps", &a.settings.steps, at_least(1), "steps of the descent");
  options.integer("images-per-step", &a.settings.images_per_step, at_least(1), "images that each step looks at");
  options.number("alpha", &a.settings.alpha, "", above(0), "first step size; without it eps / 4");
  options.choice("loss", &a.settings.loss, goal_loss_names(), "what is descended; without it margin");
  options.text("mask", &a.mask, "WHERE", "what may change: parts of the face or image files, see `fercli attack`");
  options.text("load", &a.load, "FILE", "score this universal.pt instead of learning one");
  a.division.declare_shard_of_verdicts(options);
  a.set.declare_output(options);
  return options;
}

void check(Arguments& a, const OptionSet& options) {
  a.threat.norm = parse_norm(a.norm);
  if (!options.given("eps")) a.threat.eps = parse_number(facts_of(a.threat.norm).universal_eps);
  check_eps(options, a.threat.norm, a.threat.eps, facts_of(a.threat.norm).universal_most);
  if (options.given("alpha")) check_alpha(options, a.threat.norm == Norm::Linf, a.settings.alpha);
  a.division.check(options, a.set.out);
  if (!a.division.shard.empty() && a.load.empty()) {
    options.fail("shard", "needs --load; what is learnt is not divided, only its scoring");
  }
  if (!a.load.empty()) {
    for (const char* other : {"eps", "norm", "steps", "images-per-step", "alpha", "loss", "mask"}) {
      if (options.given(other)) options.fail(other, "does not go with --load, which brings its own");
    }
    a.load_digest = file_sha256_hex(a.load);
  }
}

UniversalPerturbation learn(const Arguments& a, const Classifier& classifier, const Dataset& images,
                            const EmotionGoal& goal, const Rng& rng) {
  UniversalSettings settings = a.settings;
  if (!a.mask.empty()) {
    settings.mask = parse_masks(a.mask, images.images.size(1), images.images.size(2), images.images.size(3));
  }
  Progress progress("Learning", settings.steps, "steps");
  settings.progress = [&](int64_t, double loss) {
    progress.note(fmt::format("loss {:.3f}", loss));
    progress.advance(1);
  };
  return learn_universal(classifier, a.threat, settings, images.images, goal.for_labels(images.labels), rng);
}

UniversalPerturbation load_fitting(const Arguments& a, const Dataset& images) {
  auto loaded = load_universal(a.load);
  require_unchanged(a.load, a.load_digest);
  if (loaded.levels.sizes() != images.images[0].sizes()) {
    throw UserError(fmt::format("--load {}: is for {}x{} images in {} channels, not for {}x{} in {}", a.load,
                                loaded.levels.size(1), loaded.levels.size(2), loaded.levels.size(0),
                                images.images.size(2), images.images.size(3), images.images.size(1)));
  }
  return loaded;
}

std::string title_of(const EmotionGoal& goal, const UniversalPerturbation& perturbation) {
  return fmt::format("{}: one perturbation for all faces, {} eps {}", goal.name, to_string(perturbation.norm),
                     format_eps(perturbation.eps, perturbation.norm));
}

void print_report(const std::string& table, const UniversalPerturbation& perturbation, const SetImages& sets,
                  const std::vector<AttackedImage>& images, const EmotionGoal& goal, const Arguments& a,
                  const LabelSet& classes) {
  print_text("{}\n", title_of(goal, perturbation));
  print_levels_note(perturbation.norm, perturbation.eps);
  if (a.load.empty()) {
    print_text("learnt from {} images ({}), scored on {} others ({}), all classified rightly\n\n", sets.learn.size(),
               sets.learn_split, sets.test.size(), sets.test_split);
  } else {
    print_text("{} (learnt on {} for {}), scored on {} images ({}) classified rightly\n\n", printable(a.load),
               printable(perturbation.model), printable(perturbation.goal), sets.test.size(), sets.test_split);
  }
  write_stdout(table);
  print_text("The network then says    {}\n", verdicts_after(images, classes));
  if (!a.set.saves_files()) return;
  const std::string folder = a.set.folder(goal).string();
  print_text("\n  {0}/universal.pt, universal.png (128 + perturbation)\n  {0}/gallery.png, adversarial_attack.png\n",
             folder);
  print_text("  {}/result.json, per_image.csv\n", folder);
}

Rng universal_rng(const Arguments& a) {
  return Rng(a.set.runtime.seed).split("universal");
}

/// A random perturbation of the same size, to compare with.
torch::Tensor random_one(const Arguments& a, const UniversalPerturbation& perturbation) {
  return random_levels(perturbation, universal_rng(a).split("random"));
}

/// What a shard looks at.
void look_at_shard(const Arguments& a, const Shard& shard, const Checkpoint& checkpoint, const Classifier& classifier,
                   const EmotionGoal& goal) {
  const auto filter = [&](const Dataset& images) { return images.select(shard.places(image_keys(images.images))); };
  const Dataset test = load_set_images(a.set, checkpoint, classifier, goal, filter).test;
  if (test.size() == 0) return;
  const auto perturbation = load_fitting(a, test);
  compare_stored(classifier, test, add_universal(test.images, perturbation.levels), goal, ProgressObserver::terminal());
  success_of(classifier, test, add_universal(test.images, random_one(a, perturbation)), goal);
}

int attack(const Arguments& a, const OptionSet& options, DividedWork& work) {
  if (work.helps()) return 0;
  const Checkpoint checkpoint = a.set.model.load();
  for (const auto& line : checkpoint.warnings) warn(line);
  Classifier classifier = make_classifier(checkpoint, a.set.runtime);
  const EmotionGoal goal = parse_emotion_goal(a.set.goal_words.front(), classifier.classes());
  const nlohmann::json identity = {{"network", checkpoint.digest},
                                   {"classifier", describe_classifier(classifier)},
                                   {"goal", goal.name},
                                   {"perturbation", a.load_digest}};
  LogitStore store(identity);
  if (!a.division.shard.empty()) {
    Division& division = *work.division(identity);
    classifier = store.before(classifier);
    if (work.shard()) {
      look_at_shard(a, *work.shard(), checkpoint, classifier, goal);
      store.keep_in(division);
      return 0;
    }
    store.take_from(division);
  }
  const auto place = a.set.output(goal);
  const SetImages sets = load_set_images(a.set, checkpoint, classifier, goal);
  auto perturbation =
      a.load.empty() ? learn(a, classifier, sets.learn, goal, universal_rng(a)) : load_fitting(a, sets.test);
  if (a.load.empty()) {
    perturbation.goal = goal.name;
    perturbation.model = a.set.model.model;
    perturbation.digest = checkpoint.digest;
  }

  const auto images = compare_stored(classifier, sets.test, add_universal(sets.test.images, perturbation.levels), goal,
                                     ProgressObserver::terminal());
  Result result = summarise_set(a.set, options, images, sets, checkpoint);
  result.threat_model = {{"norm", to_string(perturbation.norm)},
                         {"eps", perturbation.eps},
                         {"goal", goal.name},
                         {"eps_levels", describe_levels(perturbation.norm, perturbation.eps)}};
  result.attacks = {{{"name", "universal"}, {"learnt_on", perturbation.model}, {"learnt_for", perturbation.goal}}};
  const auto random = random_one(a, perturbation);
  result.metrics["success_random"] = success_of(classifier, sets.test, add_universal(sets.test.images, random), goal);
  if (a.load.empty()) {
    result.metrics["success_learn"] =
        success_of(classifier, sets.learn, add_universal(sets.learn.images, perturbation.levels), goal);
  }
  if (place) {
    const auto folder = place->work();
    save_universal(perturbation, folder / "universal.pt");
    const std::string what = fmt::format("universal, {} eps {}", to_string(perturbation.norm),
                                         format_eps(perturbation.eps, perturbation.norm));
    write_set_files(result, images, {classifier.classes().names(), what, a.set.language}, goal, folder);
    place->complete();
  }
  show_success(a.set, result, title_of(goal, perturbation),
               {{"success_learn", "  where it was learnt"}, {"success_random", "  random, the same size"}},
               [&](const std::string& table) {
                 print_report(table, perturbation, sets, images, goal, a, classifier.classes());
               });
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a;
  OptionSet options = declare(a);
  if (!options.parse(arguments)) return 0;
  check(a, options);
  a.set.show.begin(options);
  DividedWork work(a.division, words_of("universal", arguments), a.set.out);
  prepare_machine(a.division.shared(a.set.runtime));
  return work.run([&](DividedWork& divided) { return attack(a, options, divided); });
}

const Register<Command> registered{{"universal", "learn one perturbation that turns the emotion of many faces", run}};

}  // namespace

}  // namespace fercli::universal_command
