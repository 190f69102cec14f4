#include "train/trainer.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "core/interrupt.hpp"
#include "core/json_text.hpp"
#include "core/notice.hpp"
#include "models/networks/network.hpp"
#include "train/collapse_watch.hpp"
#include "train/freezing.hpp"

namespace fercli {

namespace {

TrainOptions with_ranks(TrainOptions options) {
  if (!options.ranks) options.ranks = std::make_shared<Ranks>();
  return options;
}

RunIdentity resumable_identity(const TrainOptions& options, const Checkpoint& start, const Dataset& training,
                               const Dataset& validation) {
  const auto weights = start.training.find("weights");
  return {options.to_json(), training.digest() + "+" + validation.digest(), start.arch, start.options.settings,
          weights != start.training.end() ? *weights : nlohmann::json()};
}

}  // namespace

Trainer::Trainer(TrainOptions options, Checkpoint start, const Dataset& training, const Dataset& validation,
                 std::filesystem::path folder)
    : options_(with_ranks(std::move(options))),
      start_(std::move(start)),
      training_(training),
      folder_(std::move(folder)),
      precision_(resolve_precision(options_.runtime)),
      device_(resolve_device(options_.runtime)),
      rng_(Rng(options_.runtime.seed).split("train")),
      loss_(Registry<TrainingLoss>::instance().get(options_.loss)),
      model_(start_, precision_, device_),
      targets_(options_, training, device_),
      validation_(validation, options_),
      state_(options_, start_, resumable_identity(options_, start_, training, validation), device_) {
  if (!loss_.attack) return;
  attack_.emplace(options_);
  state_.run.attack_steps = attack_->first_steps();
}

void Trainer::resume() {
  load_state(state_path());
}

TrainingProfile Trainer::profile() const {
  TrainingProfile profile = profile_;
  profile.ranks = options_.ranks->cost();
  return profile;
}

void Trainer::run(const std::function<void(const std::vector<EpochRecord>&)>& on_epoch) {
  while (state_.run.epoch < options_.schedule.epochs) {
    if (is_out_of_patience()) {
      options_.observer->say(fmt::format("no better validation {} in {} epochs: stopped",
                                         attack_ ? "balanced robust accuracy" : "accuracy", options_.patience));
      break;
    }
    train_epoch();
    finish_epoch();
    const bool watched = may_collapse(loss_, state_.run.attack_steps);
    if (watched && has_collapsed(history(), start_.classes.size())) {
      roll_back();
      continue;
    }
    if (history().back().best) save_weights("best.pt");
    save_weights("last.pt");
    if (watched) save_state(good_path());
    save_state(state_path());
    on_epoch(history());
  }
}

EpochPlan Trainer::plan() const {
  EpochPlan plan{state_.run.epoch, options_.batch_size, state_.run.batch};
  if (options_.in_micro_shards()) plan.smallest = 2 * options_.micro_shards;
  if (!targets_.wants_whole_batches()) {
    plan.part = options_.ranks->number();
    plan.of = options_.ranks->count();
  }
  return plan;
}

/// In epochs: 2.5 in the middle of the third.
double Trainer::moment() const {
  return static_cast<double>(state_.run.epoch) + static_cast<double>(state_.run.batch) / static_cast<double>(batches());
}

bool Trainer::is_out_of_patience() const {
  return options_.patience > 0 && state_.run.epoch - state_.run.best_epoch() >= options_.patience;
}

void Trainer::train_epoch() {
  compare_ranks();
  state_.network->train();
  freeze_layers(*state_.network, options_.freeze_until);
  const RunState& run = state_.run;
  Augmentation augmentation = options_.augmentation;
  if (run.epoch >= options_.schedule.epochs - options_.full_epochs) augmentation.crop = 0;
  EpochBatches source(training_, augmentation, rng_, plan());
  const std::string doing = fmt::format("epoch {}/{}", run.epoch + 1, options_.schedule.epochs);
  Followed progress(*options_.observer, {training_.size(), run.seen, "images", doing});
  const StepCount counted(profile_.parts);
  auto step_start = Clock::now();
  for (Batch raw; source.next(raw);) {
    profile_.batches += seconds_since(step_start);
    learn_or_save(raw);
    const EpochRecord now = run.training_record();
    options_.observer->at(fmt::format("loss {:.3f}, accuracy {:.1f} %", now.train_loss, 100 * now.train_accuracy));
    progress.advance(raw.of_batch);
    if (!options_.in_micro_shards() && interrupted()) save_and_stop();
    if (seconds_since(saved_at_) >= static_cast<double>(options_.save_every)) save_state(state_path());
    ++profile_.steps;
    profile_.seconds += seconds_since(step_start);
    step_start = Clock::now();
  }
}

/// Micro-shards that are interrupted leave the step undone.
void Trainer::learn_or_save(const Batch& raw) {
  try {
    learn(raw);
  } catch (const Interrupted&) {
    save_and_stop();
  }
}

/// Learns a batch; losses that replay it learn it several times.
void Trainer::learn(const Batch& raw) {
  const Rng mixing = rng_.split("mixup").split(static_cast<uint64_t>(state_.run.step));
  const TrainingBatch ready = targets_.of(raw, mixing, state_.run.noise_by_row);
  state_.optimizer.set_learning_rate(learning_rate());
  const bool replayed = attack_ && attack_->replays();
  if (options_.in_micro_shards() && replayed) let_all_stop();
  GradientOutput output{};
  for (int64_t replay = 0; replay < (replayed ? state_.run.attack_steps : 1); ++replay) {
    output = take_step(ready, raw.of_batch);
  }
  state_.run.add_batch(output.loss, raw.of_batch, output.correct);
}

GradientOutput Trainer::take_step(const TrainingBatch& ready, int64_t of_batch) {
  state_.optimizer.zero_grad();
  const auto number = static_cast<uint64_t>(state_.run.step);
  GradientSettings settings{
      loss_, model_, {}, 0, rng_.split("dropout").split(number), rng_.split("attack").split(number)};
  if (attack_) {
    settings.attack = attack_->at(moment(), state_.run.attack_steps);
    settings.awp = options_.adversarial.awp;
  }
  const GradientOutput output =
      options_.in_micro_shards()
          ? take_gradients(settings, ready, state_.memory, {options_.micro_shards, of_batch, *options_.ranks})
          : take_gradients(settings, ready, state_.memory);
  if (!std::isfinite(output.loss)) stop_diverged("training", output.loss);
  {
    const Timed timed(StepPart::Optimizer);
    state_.optimizer.step();
  }
  ++state_.run.step;
  if (state_.average) {
    const Timed timed(StepPart::Average);
    state_.average->follow(*state_.network, state_.run.step);
  }
  return output;
}

void Trainer::finish_epoch() {
  RunState& run = state_.run;
  EpochRecord record = run.training_record();
  try {
    validate(record);
  } catch (const Interrupted&) {
    save_and_stop();
  }
  if (!std::isfinite(record.validation_loss)) stop_diverged("validation", record.validation_loss);
  record.learning_rate = options_.schedule.at(static_cast<double>(record.epoch), run.drops);
  record.seconds = run.epoch_seconds + seconds_since(resumed_at_);
  resumed_at_ = Clock::now();
  run.end_epoch(std::move(record));
  if (options_.schedule.kind == "plateau") run.drop_on_plateau(options_.plateau_patience);
}

void Trainer::validate(EpochRecord& record) const {
  if (attack_) {
    record.robust.emplace();
    record.robust->eps = attack_->eps(moment());
    record.robust->steps = state_.run.attack_steps;
  }
  validation_.measure(
      classifier(state_.evaluated()), [&] { return classifier(state_.network); }, record);
}

/// Back to the end of the last good epoch, with more steps from here on.
void Trainer::roll_back() {
  RunState& run = state_.run;
  const EpochRecord bad = history().back();
  const double before = best_live_accuracy(history()), after = bad.robust->live_balanced_accuracy;
  load_state(good_path());
  warn(
      fmt::format("epoch {}: catastrophic overfitting, balanced robust accuracy of the weights fell from {:.1f} % to "
                  "{:.1f} % (n = {}); back to the end of epoch {}, the attack takes {} steps from now on",
                  bad.epoch, 100 * before, 100 * after, validation_.watched_images(), run.epoch, kStepsAfterCollapse));
  run.attack_steps = kStepsAfterCollapse;
  run.rollbacks.push_back({bad.epoch, run.epoch, before, after});
  save_state(state_path());
}

Classifier Trainer::classifier(const std::shared_ptr<Network>& network) const {
  return Classifier(network, start_, {precision_, device_});
}

void Trainer::save_weights(const std::string& name) const {
  if (!options_.ranks->leads()) return;
  Checkpoint checkpoint = start_;
  checkpoint.network = state_.evaluated();
  auto& training = checkpoint.training;
  training["epochs_done"] = state_.run.epoch;
  training["last_epoch"] = write_record(history().back());
  training["last_epoch"].erase("seconds");  // equal runs give equal files
  if (!state_.run.rollbacks.empty()) training["rollbacks"] = Shape<std::vector<Rollback>>::write(state_.run.rollbacks);
  save_checkpoint(checkpoint, folder_ / name);
}

void Trainer::save_state(const std::filesystem::path& path) {
  if (!options_.ranks->leads()) return;
  state_.run.epoch_seconds += seconds_since(resumed_at_);
  resumed_at_ = saved_at_ = Clock::now();
  state_.save(path);
}

void Trainer::load_state(const std::filesystem::path& path) {
  Ranks& ranks = *options_.ranks;
  const auto parts = ranks.together([&] { return ranks.leads() ? read_file(path) : std::string(); });
  state_.load(parts.front(), path);
  if (!state_.identity.weights.is_null()) start_.training["weights"] = state_.identity.weights;
}

/// Throws UserError where the ranks are not of one run, or their weights have come apart.
void Trainer::compare_ranks() const {
  if (options_.ranks->count() == 1) return;
  Digest weights_now;
  for (const auto& tensor : weights_and_statistics(*state_.network)) {
    const auto plain = tensor.detach().cpu().contiguous();
    weights_now.add(plain.data_ptr(), plain.nbytes());
  }
  options_.ranks->require_same(compact_json(
      {{"options", state_.identity.options}, {"data set", state_.identity.data}, {"weights", weights_now.hex()}}));
}

/// Throws Interrupted in all ranks when one was interrupted.
void Trainer::let_all_stop() const {
  options_.ranks->together([] {
    throw_if_interrupted();
    return std::string();
  });
}

void Trainer::save_and_stop() {
  options_.ranks->together([&] {  // rank 0 needs the others' patience
    save_state(state_path());
    return std::string();
  });
  options_.ranks->finish();
  throw Interrupted(
      fmt::format("interrupted in epoch {}; the state is saved, go on with --resume", state_.run.epoch + 1));
}

void Trainer::stop_diverged(const char* which, double value) const {
  options_.ranks->finish();  // all of them know it
  const std::string kept =
      history().empty() ? "" : fmt::format("; the best checkpoint so far is kept in {}", folder_.string());
  throw RunError(fmt::format(
      "the {} loss became {} in epoch {}, batch {} (learning rate {:.3g}); lower --lr, or set --clip-norm 1{}", which,
      value, state_.run.epoch + 1, std::min(state_.run.batch + 1, batches()), learning_rate(), kept));
}

}  // namespace fercli
