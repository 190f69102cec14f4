#pragma once

#include "core/clock.hpp"
#include "core/random.hpp"
#include "core/step_times.hpp"
#include "data/batches.hpp"
#include "train/attack_schedule.hpp"
#include "train/batch_targets.hpp"
#include "train/gradient_step.hpp"
#include "train/training_state.hpp"
#include "train/validation.hpp"

namespace fercli {

/// Where the time of a run's training steps went.
struct TrainingProfile {
  int64_t steps = 0;
  double seconds = 0;  ///< of all steps, with what follows
  double batches = 0;  ///< until the images were there
  StepTimes parts;     ///< of the layers that are fused
  Ranks::Cost ranks;
};

/// Trains a network and leaves in `folder`: best.pt (best `EpochRecord::score`), last.pt, and training.state, from
/// which an interrupted run goes on and ends with the very weights of an uninterrupted one (same machine and thread
/// count).
///
/// Single-step adversarial training is watched (collapse_watch.hpp): when the weights have collapsed, the run goes back
/// to the end of the last good epoch (kept as good.state) and attacks with two steps from there on.
///
/// With several ranks, each computes its micro-shards and its part of the validation, all hold the same weights, and
/// only rank 0 writes and reads files. A fault or an interrupt of one is thrown in all.
class Trainer {
 public:
  /// `start` gives architecture, classes, preprocessing and initial weights; its `training` JSON goes into the
  /// checkpoints with the results added. Both data sets must have the network's size and channels and its class order.
  Trainer(TrainOptions options, Checkpoint start, const Dataset& training, const Dataset& validation,
          std::filesystem::path folder);

  /// Continues from `folder`/training.state. Throws UserError when it is of another run (names the differing option),
  /// or damaged.
  void resume();

  /// `on_epoch` is called after each epoch, its record saved, with the whole history. Throws RunError when the training
  /// or validation loss is not finite, Interrupted (state saved) on Ctrl-C.
  void run(const std::function<void(const std::vector<EpochRecord>&)>& on_epoch);

  const std::vector<EpochRecord>& history() const { return state_.run.history; }

  TrainingProfile profile() const;

  /// The start, after `resume` with the origin of the weights that the run began with.
  const Checkpoint& start() const { return start_; }

 private:
  EpochPlan plan() const;
  int64_t batches() const { return EpochBatches::count(training_.size(), plan()); }
  double moment() const;
  double learning_rate() const { return options_.schedule.at(moment(), state_.run.drops); }
  bool is_out_of_patience() const;

  void train_epoch();
  void learn_or_save(const Batch& raw);
  void learn(const Batch& raw);
  GradientOutput take_step(const TrainingBatch& ready, int64_t of_batch);
  void finish_epoch();
  void validate(EpochRecord& record) const;
  void roll_back();

  Classifier classifier(const std::shared_ptr<Network>& network) const;
  void save_weights(const std::string& name) const;
  void save_state(const std::filesystem::path& path);
  void load_state(const std::filesystem::path& path);
  std::filesystem::path state_path() const { return folder_ / "training.state"; }
  std::filesystem::path good_path() const { return folder_ / "good.state"; }

  void compare_ranks() const;
  void let_all_stop() const;
  [[noreturn]] void save_and_stop();
  [[noreturn]] void stop_diverged(const char* which, double value) const;

  TrainOptions options_;  ///< with ranks
  Checkpoint start_;
  const Dataset& training_;
  std::filesystem::path folder_;
  Precision precision_;
  torch::Device device_;
  Rng rng_;
  const TrainingLoss& loss_;
  TrainingModel model_;
  BatchTargets targets_;
  std::optional<AttackSchedule> attack_;  ///< in adversarial training
  Validation validation_;
  TrainingState state_;
  TrainingProfile profile_;
  Clock::time_point resumed_at_ = Clock::now(), saved_at_ = Clock::now();
};

}  // namespace fercli
