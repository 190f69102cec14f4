// fercli train: standard and adversarial training of any architecture.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <utility>

#include "commands/options/data_options.hpp"
#include "core/build_info.hpp"
#include "core/command.hpp"
#include "core/digest.hpp"
#include "core/escape.hpp"
#include "core/files.hpp"
#include "core/observer.hpp"
#include "core/options.hpp"
#include "core/output_folder.hpp"
#include "core/output_part.hpp"
#include "core/ranks.hpp"
#include "data/formats/label_order.hpp"
#include "data/formats/reader.hpp"
#include "models/files/limits.hpp"
#include "models/formats/import.hpp"
#include "models/networks/weights.hpp"
#include "models/summary.hpp"
#include "report/training_log.hpp"
#include "train/trainer.hpp"
#include "train/training_loss.hpp"

namespace fercli::train_command {

namespace {

/// What `--adversarial` alone means: as robust per epoch as two steps of PGD, and cheaper (experiments/README.md).
constexpr const char* kAdversarialLoss = "n-fgsm";

constexpr int64_t kMicroShardsUnderMpirun = 8, kMostMicroShards = 1024;

bool has_kl_term(const TrainingLoss& loss) {
  return Values(loss.parameters, {}).has("beta");
}

std::vector<std::string> losses_with_kl_term() {
  std::vector<std::string> names;
  for (const auto& loss : Registry<TrainingLoss>::instance().all()) {
    if (has_kl_term(loss)) names.push_back(loss.name);
  }
  return names;
}

struct Settings {
  std::string data, validation_data, arch = "resnet", weights, teacher, out = "out/train";
  DataLabels labels;
  std::vector<std::string> set;
  Given arch_given;
  int64_t size = 0, channels = 0;
  double validation_share = 0.1, temperature = 4, teacher_share = 0.9;
  bool resume = false, quiet = false, skip_bad = false, adversarial = false, trust_code = false, profile = false;
  TrainOptions train;
};

void declare_adversarial(OptionSet& options, Settings& settings) {
  AdversarialOptions& adversarial = settings.train.adversarial;
  options.section("Adversarial training");
  options.flag("adversarial", &settings.adversarial,
               fmt::format("learn perturbed images; without --loss by {}", kAdversarialLoss));
  options.number("eps", &adversarial.eps, "4/255", {0, 1, true}, "Linf size of the perturbation, pixels in [0,1]");
  options.number("eps-ramp", &adversarial.ramp, "0.5", between(0, 1), "share of the run in which eps rises from 0");
  options.parameter(Parameter::whole("attack-steps", "0", at_least(0),
                                     "gradient steps per batch (free: replays); 0: those of the loss's paper"));
  options.parameter(Parameter::number("alpha", "0", between(0, 1), "step size; 0: the rule of the loss's paper"));
  options.parameter(
      Parameter::choice("attack-statistics", "auto", {"auto", "running", "batch"},
                        "BatchNorm's in the attack: running (fast) or the batch's own; auto: as in the loss's paper"));
  options.parameter(Parameter::number(
      "beta", "0", at_least(0),
      fmt::format("weight of the KL term of {}; 0: the paper's", join(losses_with_kl_term(), " and "))));
  options.number("awp", &adversarial.awp, "0", between(0, 1),
                 "adversarial weight perturbation, such as 0.005; 0: none");
  options.integer("robust-images", &adversarial.robust_images, at_least(7),
                  "validation images attacked after each epoch, equally many of each class");
  options.integer("robust-steps", &adversarial.robust_steps, at_least(1), "PGD steps on them");
}

void declare(OptionSet& options, Settings& settings) {
  TrainOptions& train = settings.train;
  const Range share{0, 1, false, true};
  options.section("Data");
  options.text("data,d", &settings.data, "SOURCE",
               "CSV file, folder, packed file or synthetic:…; its Training rows are learnt");
  options.text("validation-data", &settings.validation_data, "SOURCE",
               "validate on its PublicTest rows, else its unmarked, else its Training rows, instead of the PublicTest "
               "rows of --data");
  options.number("validation-share", &settings.validation_share, "0.1", {0, 0.9, true},
                 "where there are no PublicTest rows: the share of training images set aside to validate on");
  settings.labels.declare(options);
  settings.labels.declare_older_name(options);
  options.flag("skip-bad", &settings.skip_bad, "leave unreadable entries out and count them");
  options.section("Network");
  options.plug_in<Architecture>("arch,a", &settings.arch, &settings.arch_given,
                                "architecture, with settings as in resnet:width=96 (see fercli summary)");
  options.texts("set", &settings.set, "NAME=VALUE", "settings of the architecture, as after its name");
  options.integer("size", &settings.size, between(0, kLargestSide),
                  "input height and width; 0: the architecture's own");
  options.integer("channels", &settings.channels, between(0, 3),
                  "input channels, 1 grey or 3 RGB; 0: the architecture's own");
  options.text("weights", &settings.weights, "FILE",
               "start from a shipped model (standard), a fercli checkpoint or a PyTorch state dictionary");
  options.integer("freeze-until", &train.freeze_until, at_least(0),
                  "keep so many first layers as they are (see fercli summary); 0: all learn");
  options.section("Training");
  options.integer("epochs,e", &train.schedule.epochs, at_least(1), "passes over the training images");
  options.integer("batch-size,b", &train.batch_size, at_least(2), "images per step");
  options.plug_in<TrainingLoss>("loss", &train.loss, &train.loss_parameters,
                                "objective, with parameters as in trades:beta=3");
  options.choice("optimizer", &train.optimizer, {"sgd", "adam", "adamw"}, "sgd is SGD with Nesterov momentum 0.9");
  options.number("lr", &train.schedule.lr, "0.1", {0, 10, true}, "highest learning rate");
  options.choice("schedule", &train.schedule.kind, {"one-cycle", "cosine", "plateau", "constant"},
                 "course of the learning rate");
  options.number("warmup-epochs", &train.schedule.warmup_epochs, "0", at_least(0),
                 "linear rise before cosine, plateau, constant");
  options.integer("plateau-patience", &train.plateau_patience, at_least(1),
                  "epochs without gain before plateau halves the rate");
  options.number("weight-decay", &train.weight_decay, "0.0005", at_least(0), "on convolution and dense weights");
  options.number("clip-norm", &train.clip_norm, "0", at_least(0), "gradient norm limit; 0: none");
  options.number("label-smoothing", &train.label_smoothing, "0.1", share, "probability spread over all classes");
  options.number("mixup", &train.mixup, "0", between(0, 1), "Beta parameter of mixup; 0: none");
  options.choice("class-weights", &train.class_weights, {"none", "balanced", "sqrt"}, "weight of rare classes");
  options.number("logit-adjustment", &train.logit_adjustment, "0", between(0, 2),
                 "tau: a margin for rare classes in the cross-entropy; 0: none");
  options.number("ema", &train.ema, "0.999", share, "decay of the moving average of the weights, per step; 0: none");
  options.integer("patience", &train.patience, at_least(0), "stop after so many epochs without gain; 0: never");
  options.text("teacher", &settings.teacher, "MODEL",
               "learn what this model says of the images, besides their labels; of several (A,B) the mean");
  declare_trust(options, &settings.trust_code);
  options.number("temperature", &settings.temperature, "4", above(0), "with --teacher: softens their answers");
  options.number("teacher-share", &settings.teacher_share, "0.9", {0, 1, true}, "with --teacher: what they count");
  declare_adversarial(options, settings);
  options.section("Augmentation");
  options.number("rotate", &train.augmentation.rotate, "10", between(0, 180), "degrees, either way");
  options.number("scale", &train.augmentation.scale, "0.1", share, "zoom, either way");
  options.number("translate", &train.augmentation.translate, "0.1", share, "shift as share of the side, either way");
  options.number("flip", &train.augmentation.flip, "0.5", between(0, 1), "probability of a horizontal flip");
  options.number("brightness", &train.augmentation.brightness, "0", share, "added light, either way");
  options.number("contrast", &train.augmentation.contrast, "0", share, "contrast factor, either way");
  options.number("erase", &train.augmentation.erase, "0", between(0, 1), "probability of random erasing");
  options.integer("crop", &train.augmentation.crop, at_least(0),
                  "learn on random windows of this side (faster); 0: whole images");
  options.integer("full-epochs", &train.full_epochs, at_least(0), "with --crop: the last epochs see whole images");
  options.section("Output");
  options.text("out,o", &settings.out, "DIR",
               "best.pt, last.pt, training.state, history.csv, learning_curves.png, model card, logs");
  options.flag("resume", &settings.resume, "go on from DIR/training.state where it exists");
  options.integer("micro-shards", &train.micro_shards, between(0, kMostMicroShards),
                  "cut each batch into so many parts and add their gradients in order: then any number of processes "
                  "that divides it (mpirun -np P) gives the same weights; 0: 8 under mpirun, else uncut");
  options.flag("profile", &settings.profile, "print at the end where the time of the steps went, by kind of work");
  options.integer("save-every", &train.save_every, at_least(0),
                  "seconds between saves of the training state; 0: after each batch");
  options.flag("quiet,q", &settings.quiet, "no progress, only the final lines");
  options.runtime(&train.runtime);
}

void check_size(const OptionSet& options, const Settings& settings, const ReadOptions& read) {
  NetworkOptions known = Registry<Architecture>::instance().get(settings.arch).defaults();
  if (read.size >= known.size) return;
  known.channels = read.channels;
  known.settings = arch_settings(settings.set, settings.arch_given);
  const int64_t smallest = smallest_side(settings.arch, known);
  if (read.size < smallest) {
    options.fail("size", fmt::format("architecture {} takes images of {} to {} pixels a side", settings.arch, smallest,
                                     kLargestSide));
  }
}

void check_crop(const OptionSet& options, const Settings& settings, int64_t size) {
  const int64_t crop = settings.train.augmentation.crop;
  if (crop == 0) return;
  if (crop > size || crop < kSmallestWindow) {
    options.fail("crop", fmt::format("must be from {} to the image side {}", kSmallestWindow, size));
  }
  if (!Registry<Architecture>::instance().get(settings.arch).any_size) {
    options.fail("crop",
                 fmt::format("architecture {} has dense layers made for {}x{} images only", settings.arch, size, size));
  }
}

struct Splits {
  Dataset training, validation;
};

std::vector<int64_t> rows_of(const Dataset& data, Split split) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < data.size(); ++i) {
    if (data.splits[i] == split) rows.push_back(i);
  }
  return rows;
}

/// The order of --data-labels, and --map, may be that of the training images alone.
Dataset read_named_or_numbered(const std::string& source, ReadOptions read) {
  try {
    return read_dataset(source, read);
  } catch (const UnusedLabelOrder&) {
    read.classes.numbering.reset();
    return read_dataset(source, read);
  }
}

/// These classes, and those that --map names and the training images alone may have.
LabelSet with_mapped(LabelSet classes, ClassRules rules) {
  const auto map = std::exchange(rules.map, {});
  rules.wanted = classes;
  const LabelSet usual = rules.recognised();
  for (const auto& [from, to] : map)
    if (from != "*" && !usual.find(from)) add_class(classes, from);
  return classes;
}

/// PublicTest rows, else unmarked ones, else Training ones; never PrivateTest.
Dataset read_validation(const Settings& settings, const LabelSet& classes, ReadOptions read) {
  read.classes.wanted = with_mapped(classes, read.classes);
  read.votes.clear();  // they belong to --data
  const Dataset data = read_named_or_numbered(settings.validation_data, read).relabelled(classes);
  say_what_is_left_out(data, settings.validation_data);
  for (const Split split : {Split::PublicTest, Split::None, Split::Training}) {
    const auto rows = rows_of(data, split);
    if (!rows.empty()) return data.select(rows);
  }
  throw UserError(fmt::format("--validation-data {}: has PrivateTest images only, which training never touches",
                              settings.validation_data));
}

/// Rows to learn and, in front of them, those set aside to validate on.
std::pair<std::vector<int64_t>, std::vector<int64_t>> set_aside(const Settings& settings,
                                                                const std::vector<int64_t>& training) {
  const auto order =
      Rng(settings.train.runtime.seed).split("validation").permutation(static_cast<int64_t>(training.size()));
  const auto count =
      std::max<size_t>(1, static_cast<size_t>(settings.validation_share * static_cast<double>(training.size())));
  std::vector<int64_t> validation, kept;
  for (size_t i = 0; i < order.size(); ++i) (i < count ? validation : kept).push_back(training[order[i]]);
  std::sort(validation.begin(), validation.end());
  std::sort(kept.begin(), kept.end());
  return {kept, validation};
}

/// A class that no training image shows gets no output, and its validation images are left out; both are said.
Splits without_empty_classes(const Splits& splits) {
  const LabelSet& all = splits.training.classes;
  const LabelSet learnt = occurring_classes(splits.training);
  if (learnt == all && learnt.size() >= 2) return splits;
  const auto mapping = learnt.mapping_from(all);
  std::vector<std::string> empty;
  for (size_t k = 0; k < mapping.size(); ++k)
    if (mapping[k] < 0) empty.push_back(all.names()[k]);
  Splits found{splits.training.recoded(learnt, mapping), splits.validation.recoded(learnt, mapping)};
  const int64_t left_out = splits.validation.size() - found.validation.size();
  if (!empty.empty()) {
    inform(fmt::format("no training image is of {}: the network gets {} outputs, for {}{}", join(empty, ", "),
                       learnt.size(), join(learnt.names(), ", "),
                       left_out == 0 ? "" : fmt::format("; {} validation images are left out", left_out)));
  }
  if (learnt.size() < 2) {
    throw UserError(fmt::format("{}: has training images of {} only, where two classes are the least",
                                splits.training.name, join(learnt.names(), ", ")));
  }
  return found;
}

/// Training rows (all rows where none are marked), and what to validate on; PrivateTest is never touched.
Splits split_data(const Settings& settings, const Dataset& data, const ReadOptions& read) {
  auto training = rows_of(data, Split::Training);
  auto validation = rows_of(data, Split::PublicTest);
  if (training.empty()) training = rows_of(data, Split::None);
  if (training.empty()) throw UserError(fmt::format("--data {}: has no Training images", settings.data));
  if (!settings.validation_data.empty()) {
    return {data.select(training), read_validation(settings, data.classes, read)};
  }
  if (validation.empty()) std::tie(training, validation) = set_aside(settings, training);
  return {data.select(training), data.select(validation)};
}

/// A batch, or each micro-shard of it, has two images at least, for BatchNorm's sake.
void require_enough_images(const Settings& settings, const Dataset& training) {
  const int64_t needed = 2 * std::max<int64_t>(1, settings.train.micro_shards);
  if (training.size() >= needed) return;
  throw UserError(fmt::format("--data {}: leaves too few training images ({}), at least {} are needed", settings.data,
                              training.size(), needed));
}

void require_validation_images(const Dataset& validation) {
  if (validation.size() > 0) return;
  throw UserError(fmt::format("{}: no validation image is of a class that is learnt", validation.name));
}

void require_labels(const Dataset& data) {
  if ((data.labels < 0).any().item<bool>()) throw UserError(fmt::format("{}: has images without a label", data.name));
}

/// Mean and deviation of each channel over the training images, pixels in [0,1].
Preprocessing measured_preprocessing(const Dataset& training) {
  constexpr int64_t kImagesAtOnce = 256;  // a channel of images is copied, and all of them may be more than memory
  Preprocessing preprocessing{training.channels(), training.image_size(), {}, {}};
  for (int64_t channel = 0; channel < training.channels(); ++channel) {
    auto counts = at::zeros({256}, torch::kInt64);
    for (const auto& some : training.images.split(kImagesAtOnce)) {
      counts += at::bincount(some.select(1, channel).flatten(), {}, 256);
    }
    const auto histogram = counts.to(torch::kFloat64);
    const auto levels = at::arange(256, torch::kFloat64) / 255.0;
    const double count = histogram.sum().item<double>(), mean = (histogram * levels).sum().item<double>() / count;
    const double variance = (histogram * (levels - mean).square()).sum().item<double>() / count;
    preprocessing.mean.push_back(mean);
    preprocessing.std.push_back(std::max(std::sqrt(variance), 1e-3));
  }
  return preprocessing;
}

/// The file of --weights, which may name a shipped model.
std::filesystem::path weights_file(const std::string& weights) {
  return weights.empty() ? std::filesystem::path() : resolve_model(weights, "--weights");
}

/// Name and digest of the file that training started from; null when it started at random.
nlohmann::json described_weights(const std::filesystem::path& path) {
  if (path.empty()) return nullptr;
  return {{"file", path.filename().string()}, {"sha256", file_sha256_hex(path)}};
}

Checkpoint starting_point(const Settings& settings, const Splits& data) {
  Checkpoint start;
  start.arch = settings.arch;
  start.options = {data.training.channels(), data.training.image_size(), data.training.classes.size(),
                   arch_settings(settings.set, settings.arch_given)};
  start.options.settings = complete_settings(start.arch, start.options.settings);
  start.preprocessing = measured_preprocessing(data.training);
  start.classes = data.training.classes;
  start.network = make_network(start.arch, start.options, settings.train.runtime.seed);
  const std::filesystem::path weights = weights_file(settings.weights);
  const auto described = described_weights(weights);
  if (!weights.empty()) {
    inform(load_weights(*start.network, weights));
    require_unchanged(weights, described.at("sha256"));
  }
  start.training = {{"options", settings.train.to_json()},
                    {"weights", described},
                    {"revision", git_revision()},
                    {"training_images", data.training.size()},
                    {"training_digest", data.training.digest()},
                    {"validation_images", data.validation.size()},
                    {"validation_digest", data.validation.digest()},
                    {"selection", settings.train.is_adversarial() ? "highest balanced robust validation accuracy"
                                                                  : "highest validation accuracy"}};
  return start;
}

/// `--adversarial` without a loss picks one; the options of adversarial training need an adversarial loss.
void settle_loss(const OptionSet& options, Settings& settings) {
  TrainOptions& train = settings.train;
  if (settings.adversarial && !options.given("loss")) train.loss = kAdversarialLoss;
  const Given named = options.given("loss") ? parse_one_chosen(options.as_given("loss")).given : Given();
  train.loss_parameters =
      options.gather(train.loss, parameters_of(Registry<TrainingLoss>::instance().get(train.loss)), named);
  if (train.is_adversarial()) return;
  const std::string known = join(adversarial_losses(), ", ");
  if (settings.adversarial) options.fail("loss", fmt::format("--adversarial needs one of {}", known));
  for (const char* name : {"eps", "eps-ramp", "attack-steps", "alpha", "attack-statistics", "beta", "awp",
                           "robust-images", "robust-steps"}) {
    if (options.given(name)) options.fail(name, fmt::format("is for --adversarial, or --loss {}", known));
  }
}

/// Options that do nothing beside the others. An INI file may hold them for other runs.
void refuse_idle_options(const OptionSet& options, const Settings& settings) {
  const TrainOptions& train = settings.train;
  const TrainingLoss& loss = Registry<TrainingLoss>::instance().get(train.loss);
  const bool searches = loss.attack && loss.attack->searches;
  const std::tuple<const char*, bool, std::string> checks[] = {
      {"beta", has_kl_term(loss), "is for --loss " + join(losses_with_kl_term(), " or ")},
      {"attack-steps", searches, "is for a loss that searches perturbed images"},
      {"alpha", searches, "is for a loss that searches perturbed images"},
      {"attack-statistics", searches, "is for a loss that searches perturbed images"},
      {"temperature", !settings.teacher.empty(), "is for --teacher"},
      {"teacher-share", !settings.teacher.empty(), "is for --teacher"},
      {"validation-share", settings.validation_data.empty(), "does not go with --validation-data"},
      {"full-epochs", train.augmentation.crop > 0, "is for --crop"},
      {"warmup-epochs", train.schedule.kind != "one-cycle", "is for --schedule cosine, plateau or constant"},
      {"plateau-patience", train.schedule.kind == "plateau", "is for --schedule plateau"}};
  for (const auto& [name, used, message] : checks) {
    if (!used && options.given_on_command_line(name)) options.fail(name, message);
  }
}

void check_schedule(const OptionSet& options, const Schedule& schedule) {
  if (schedule.kind == "one-cycle" || schedule.warmup_epochs < static_cast<double>(schedule.epochs)) return;
  options.fail("warmup-epochs", fmt::format("must be in [0, {}), less than --epochs", schedule.epochs));
}

/// Started by mpirun, or with --micro-shards: how the batches are cut. The number of threads shapes the last bits, so
/// that it must not hang on the machine.
void settle_ranks(const OptionSet& options, TrainOptions& train, bool launched) {
  if (train.micro_shards == 0 && launched) train.micro_shards = kMicroShardsUnderMpirun;
  if (train.micro_shards == 0) return;
  if (const int64_t count = train.ranks->count(); train.micro_shards % count != 0) {
    throw UserError(fmt::format(
        "fercli train: --micro-shards {}: cannot be shared equally among {} processes; take a multiple of {}",
        train.micro_shards, count, count));
  }
  if (train.batch_size < 2 * train.micro_shards) {
    options.fail("batch-size", fmt::format("must be at least {}, two images for each of {} micro-shards",
                                           2 * train.micro_shards, train.micro_shards));
  }
  if (train.runtime.threads == 0) train.runtime.threads = 1;
}

/// The teachers, with classes in the order of the data.
std::shared_ptr<const Distillation> load_teachers(const Settings& settings, const LabelSet& classes) {
  if (settings.teacher.empty()) return nullptr;
  std::vector<Teacher> teachers;
  for (const auto& name : model_names(settings.teacher)) {
    const Checkpoint teacher = load_named_model(name, "--teacher", settings.trust_code);
    teachers.push_back({make_classifier(teacher, settings.train.runtime), name, teacher.digest});
  }
  return std::make_shared<Distillation>(std::move(teachers), classes, settings.temperature, settings.teacher_share);
}

/// What the attack of each step will be, in words.
std::string describe_attack(const OptionSet& options, const TrainOptions& train) {
  const AttackRecipe& recipe = *Registry<TrainingLoss>::instance().get(train.loss).attack;
  const Values parameters = train.parameters();
  if (!recipe.searches) {
    return fmt::format(
        "training for certificates: {} ({}), eps {}; the best epoch is chosen by balanced robust accuracy "
        "at this eps",
        train.loss, recipe.paper, options.as_given("eps"));
  }
  const int64_t steps = parameters.whole("attack-steps");
  return fmt::format(
      "adversarial training: {} ({}), eps {}, {} {}, {} statistics; the best epoch is chosen by balanced "
      "robust accuracy at this eps",
      train.loss, recipe.paper, options.as_given("eps"), steps, steps == 1 ? "step" : "steps",
      parameters.word("attack-statistics"));
}

/// A run of its own has a folder of its own: --resume goes on with the one that is there.
void refuse_mixed_folder(const Settings& settings) {
  const std::filesystem::path folder = settings.out;
  if (settings.resume && std::filesystem::exists(folder / "training.state")) return;
  const std::string other = command_of_results(folder);
  if (!other.empty()) {
    throw UserError(
        fmt::format("fercli train: --out {}: holds results of fercli {}; choose another folder", settings.out, other));
  }
  for (const char* file : {"training.state", "last.pt", "best.pt", "history.csv"}) {
    if (!std::filesystem::exists(folder / file)) continue;
    throw UserError(
        fmt::format("fercli train: --out {}: holds an earlier run{}, or choose another folder", settings.out,
                    settings.resume ? " without its training.state, from which --resume goes on; put it back"
                                    : "; add --resume to go on with it"));
  }
}

/// Keeps the folder from other runs while it lives.
OutputLock open_folder(const Settings& settings, const std::filesystem::path& folder) {
  OutputLock lock = OutputLock::of_folder(folder);
  for (const auto& place : {folder, folder / "logs"}) sweep_parts(place);
  refuse_mixed_folder(settings);
  return lock;
}

ReadOptions read_options(const OptionSet& options, const Settings& settings) {
  const auto& defaults = Registry<Architecture>::instance().get(settings.arch).defaults();
  ReadOptions read;
  read.size = settings.size > 0 ? settings.size : defaults.size;
  read.channels = settings.channels > 0 ? settings.channels : defaults.channels;
  read.observer = &ProgressObserver::terminal();
  read.skip_bad = settings.skip_bad;
  settings.labels.fill(read);
  check_size(options, settings, read);
  check_crop(options, settings, read.size);
  return read;
}

Splits read_images(const OptionSet& options, const Settings& settings) {
  const ReadOptions read = read_options(options, settings);
  const Dataset data = read_dataset(settings.data, read);
  say_what_is_left_out(data, settings.data);
  Splits splits = split_data(settings, data, read);
  require_enough_images(settings, splits.training);
  require_labels(splits.training);
  require_labels(splits.validation);
  splits = without_empty_classes(splits);
  require_validation_images(splits.validation);
  return splits;
}

void print_profile(const TrainingProfile& profile, const Ranks& ranks) {
  const double seconds = std::max(profile.seconds, 1e-9),
               steps = static_cast<double>(std::max<int64_t>(profile.steps, 1));
  print_text("{} steps of {:.3f} s: communication {:.2f} %, waiting for other processes {:.2f} %, for images {:.2f} %",
             profile.steps, seconds / steps, 100 * profile.ranks.moving / seconds,
             100 * profile.ranks.waiting / seconds, 100 * profile.batches / seconds);
  print_text("; process 0 of {} sent {:.2f} MB a step\n", ranks.count(),
             static_cast<double>(profile.ranks.bytes) / 1e6 / steps);
  const std::pair<const char*, double> parts[] = {
      {"convolutions", profile.parts.of(StepPart::Convolution)},
      {"their gradients in the images", profile.parts.of(StepPart::DataGradient)},
      {"in the weights", profile.parts.of(StepPart::WeightGradient)},
      {"BatchNorm, ReLU and shortcuts", profile.parts.of(StepPart::Norm)},
      {"optimizer", profile.parts.of(StepPart::Optimizer)},
      {"moving average", profile.parts.of(StepPart::Average)},
      {"waiting", profile.ranks.moving + profile.ranks.waiting + profile.batches}};
  double rest = profile.seconds;
  for (const auto& [what, of_it] : parts) {
    rest -= of_it;
    print_text("{} {:.1f} %, ", what, 100 * of_it / seconds);
  }
  print_text("all else (layers that are not fused, losses, saving) {:.1f} %\n", 100 * rest / seconds);
}

void print_best(const std::filesystem::path& best, int64_t validation_images) {
  const auto record = Shape<EpochRecord>::read(load_checkpoint(best).training.at("last_epoch"));
  print_text("{}: {}\n", best.string(), describe_best(record, validation_images));
}

int train(const OptionSet& options, Settings& settings) {
  Ranks& ranks = *settings.train.ranks;
  const std::filesystem::path folder = settings.out;
  std::optional<OutputLock> lock;
  Splits splits;
  Checkpoint start;
  // What may go wrong in one process only: files and data of its machine.
  const auto states = ranks.together([&] {
    if (ranks.leads()) lock.emplace(open_folder(settings, folder));
    splits = read_images(options, settings);
    settings.train.teacher = load_teachers(settings, splits.training.classes);
    start = starting_point(settings, splits);
    return std::string(lock && std::filesystem::exists(folder / "training.state") ? "there" : "");
  });
  Trainer trainer(settings.train, start, splits.training, splits.validation, folder);
  if (!states.front().empty()) trainer.resume();
  ranks.together([&] {  // not before: a run that is refused leaves the folder as it is
    if (ranks.leads()) {
      write_file(folder / (settings.arch + "_arch.txt"), describe_architecture(start.arch, start.options));
    }
    return std::string();
  });
  inform(fmt::format("{}: {} training and {} validation images, {} parameters, {}, {} threads{}", settings.arch,
                     splits.training.size(), splits.validation.size(), parameter_count(*start.network),
                     to_string(resolve_precision(settings.train.runtime)), at::get_num_threads(),
                     ranks.count() > 1 ? fmt::format(" in each of {} processes", ranks.count()) : std::string()));
  if (settings.train.is_adversarial()) inform(describe_attack(options, settings.train));
  std::optional<TrainingLog> log;
  if (ranks.leads()) log.emplace(folder, trainer.start(), splits.validation.size());
  if (log && !trainer.history().empty())
    log->write(trainer.history());  // the earlier run may have ended before it could
  trainer.run([&](const std::vector<EpochRecord>& history) {
    if (log) log->write(history);
    inform(describe_epoch(history.back(), start.classes));
  });
  ranks.finish();
  if (!ranks.leads()) return 0;
  print_best(folder / "best.pt", splits.validation.size());
  if (settings.profile) print_profile(trainer.profile(), ranks);
  return 0;
}

int run(const std::vector<std::string>& arguments) {
  Settings settings;
  settings.train.schedule.epochs = 30;
  OptionSet options("train", "", "Train a network on labelled faces, and keep the weights that validate best.");
  declare(options, settings);
  if (!options.parse(arguments)) return 0;
  if (settings.data.empty())
    throw UserError("fercli train: --data SOURCE is needed: a CSV file, a folder, a packed file or synthetic:");
  settle_loss(options, settings);
  refuse_idle_options(options, settings);
  check_schedule(options, settings.train.schedule);
  silence_progress(settings.quiet);
  const TeamPlace place = team_place();
  settings.train.observer = &ProgressObserver::terminal();
  settings.train.ranks = join_ranks(place);
  settings.train.ranks->together([&] {
    settle_ranks(options, settings.train, place.launched);
    prepare_machine(settings.train.runtime);
    return std::string();
  });
  return train(options, settings);
}

const Register<Command> registered{{"train", "train a network on labelled faces", run}};

}  // namespace

}  // namespace fercli::train_command
