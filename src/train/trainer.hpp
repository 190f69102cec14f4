#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/parameters.hpp"
#include "core/ranks.hpp"
#include "core/runtime.hpp"
#include "data/augmentation.hpp"
#include "data/dataset.hpp"
#include "models/checkpoint.hpp"
#include "train/distillation.hpp"
#include "train/robust_validation.hpp"
#include "train/schedule.hpp"

namespace fercli {

/// The part of the options that only adversarial losses use.
struct AdversarialOptions {
  double eps = 4 / 255.0;       ///< Linf radius, pixels in [0,1]
  double ramp = 0.5;            ///< share of the run in which eps rises evenly from 0; the step size rises with it
  double awp = 0;               ///< adversarial weight perturbation, gamma; 0: none
  int64_t robust_images = 490;  ///< validation images that are attacked after each epoch
  int64_t robust_steps = 10;    ///< PGD steps on them
};

/// How a network is trained. Defaults are the recipe of `fercli train`.
struct TrainOptions {
  std::string loss = "cross-entropy";
  Given loss_parameters = {};     ///< what is given of `parameters_of` the loss
  std::string optimizer = "sgd";  ///< sgd (Nesterov momentum 0.9) | adam | adamw
  Schedule schedule;
  int64_t batch_size = 128;
  double weight_decay = 5e-4;  ///< on weights of rank 2 and more only
  double clip_norm = 0;        ///< gradient norm limit; 0: none
  double label_smoothing = 0.1;
  double mixup = 0;                    ///< Beta parameter (Zhang et al. 2018); 0: none
  std::string class_weights = "none";  ///< none | balanced (1/frequency) | sqrt (its square root)
  double logit_adjustment = 0;         ///< tau of the logit-adjusted loss (Menon et al. 2021); 0: none
  double ema = 0.999;                  ///< decay of the exponential moving average of the weights per step; 0: none
  int64_t patience = 0;                ///< epochs without a better validation accuracy before stopping; 0: never
  int64_t plateau_patience = 3;
  int64_t freeze_until = 0;                     ///< so many first layers stay as they are
  std::shared_ptr<const Distillation> teacher;  ///< null: labels only
  AdversarialOptions adversarial;
  Augmentation augmentation;
  int64_t full_epochs = 0;  ///< the last epochs see whole images although `augmentation.crop` is set
  int64_t save_every =
      120;  ///< seconds between saves of the training state (0: each batch), besides the end of each epoch
  /// Each batch is cut into so many micro-shards, whose gradients are added in order: then the weights do not depend on
  /// the number of ranks. 0: not cut, as it must be with more than one rank.
  int64_t micro_shards = 0;
  std::shared_ptr<Ranks> ranks;  ///< null: this process alone
  Runtime runtime;

  bool is_adversarial() const;  ///< by its loss
  Values parameters() const;    ///< all of the loss. Throws std::invalid_argument

  /// Everything that shapes the weights: a run can only be resumed with equal values.
  nlohmann::json to_json() const;
};

/// What an epoch of adversarial training adds to the log. Validation is by PGD at the full eps.
struct RobustRecord {
  double eps;                     ///< of the attack in training, at the end of the epoch
  int64_t steps;                  ///< of the attack in training
  RobustCounts counts;            ///< on the fixed part of the validation images
  double accuracy;                ///< from the counts, in the proportions of all validation images
  double balanced_accuracy;       ///< mean over classes; the best checkpoint is chosen by it
  double live_balanced_accuracy;  ///< of the weights themselves, not their average, on the first 140 images or fewer
  int64_t top_class;              ///< the answer given most often to the clean validation images
  double top_share;               ///< how often
};

/// One line of the log.
struct EpochRecord {
  int64_t epoch;                      ///< from 1
  double train_loss, train_accuracy;  ///< on the augmented images, while they were learnt
  double validation_loss, validation_accuracy, validation_balanced_accuracy;  ///< of the averaged weights when ema > 0
  double learning_rate;                                                       ///< at the end of the epoch
  double seconds;
  bool best;
  std::optional<RobustRecord> robust = std::nullopt;

  /// What the best checkpoint is chosen by: balanced robust accuracy in adversarial training, else accuracy.
  double score() const { return robust ? robust->balanced_accuracy : validation_accuracy; }
};

nlohmann::json to_json(const EpochRecord& record);
EpochRecord epoch_record_from_json(const nlohmann::json& json);

/// Where the time of a run's training steps went.
struct TrainingProfile {
  int64_t steps = 0;
  double seconds = 0;  ///< of all steps, with what follows
  double batches = 0;  ///< until the images were there
  Ranks::Cost ranks;
};

/// Trains a network and leaves in `folder`: best.pt (best `EpochRecord::score`), last.pt, and training.state, from
/// which an interrupted run goes on and ends with the very weights of an uninterrupted one (same machine and thread
/// count).
///
/// Single-step adversarial training is watched for catastrophic overfitting (Wong et al., arXiv:2001.03994): when the
/// robust accuracy of the weights falls below half of its best, the run goes back to the end of the last good epoch
/// (kept as good.state) and attacks with two steps from there on.
///
/// With several ranks, each computes its micro-shards and its part of the validation, all hold the same weights, and
/// only rank 0 writes and reads files. A fault or an interrupt of one is thrown in all.
class Trainer {
 public:
  /// `start` gives architecture, classes, preprocessing and initial weights; its `training` JSON goes into the
  /// checkpoints with the results added. Both data sets must have the network's size and channels and its class order.
  Trainer(TrainOptions options, Checkpoint start, const Dataset& training, const Dataset& validation,
          std::filesystem::path folder);
  ~Trainer();

  /// Continues from `folder`/training.state. Throws UserError when it is of another run (names the differing option),
  /// or damaged.
  void resume();

  /// `on_epoch` is called after each epoch, its record saved, with the whole history. Throws RunError when the training
  /// or validation loss is not finite, Interrupted (state saved) on Ctrl-C.
  void run(const std::function<void(const std::vector<EpochRecord>&)>& on_epoch);

  const std::vector<EpochRecord>& history() const;

  TrainingProfile profile() const;

  /// The start, after `resume` with the origin of the weights that the run began with.
  const Checkpoint& start() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fercli
