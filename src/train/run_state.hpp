#pragma once

#include "train/epoch_record.hpp"

namespace fercli {

/// A collapse (collapse_watch.hpp), and the way back from it.
struct Rollback {
  int64_t epoch = 0, back_to = 0;
  double best_live_balanced_accuracy = 0, live_balanced_accuracy = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, Rollback& rollback) {
  field("epoch", rollback.epoch, "that collapsed");
  field("back_to", rollback.back_to, "the last good epoch");
  field("best_live_balanced_accuracy", rollback.best_live_balanced_accuracy, "of the weights, under PGD, before");
  field("live_balanced_accuracy", rollback.live_balanced_accuracy, "after the epoch that collapsed");
}

/// Where a run is, apart from weights and optimizer.
struct RunState {
  int64_t epoch = 0, batch = 0, step = 0;
  int64_t drops = 0, drop_epoch = 0;
  double loss_sum = 0;
  int64_t correct = 0, seen = 0;
  double epoch_seconds = 0;
  int64_t attack_steps = 0;
  bool noise_by_row = true;
  std::vector<Rollback> rollbacks;
  std::vector<EpochRecord> history;

  /// loss: mean over the batch's images.
  void add_batch(double loss, int64_t images, int64_t hits);

  /// The current epoch, with what training knows of it. One batch at least must have been learnt.
  EpochRecord training_record() const;

  /// Ends the current epoch with this record, whose `best` it sets.
  void end_epoch(EpochRecord record);

  /// Counts a drop when so many epochs have passed since the best one or the last drop.
  void drop_on_plateau(int64_t patience);

  int64_t best_epoch() const;  ///< the last that was the best so far; 0: none yet

  /// Throws std::invalid_argument where no run can be in this state. A file of a stranger may say anything.
  void require_possible() const;
};

template <class Visitor>
void visit_fields(Visitor& field, RunState& state) {
  field("epoch", state.epoch, "finished epochs");
  field("batch", state.batch, "finished batches of the current epoch");
  field("step", state.step, "finished steps of the optimizer");
  field("drops", state.drops, "halvings of the learning rate on a plateau");
  field("drop_epoch", state.drop_epoch, "epoch of the last halving");
  field("loss_sum", state.loss_sum, "over the images of the current epoch");
  field("correct", state.correct, "images of the current epoch that were learnt and answered correctly");
  field("seen", state.seen, "images of the current epoch that were learnt");
  field("epoch_seconds", state.epoch_seconds, "spent in the current epoch before the last save");
  field.defaulted("attack_steps", state.attack_steps, "of the attack in each training step; 0: no attack");
  field.defaulted("noise_by_row", state.noise_by_row,
                  "the noise of an attack in training is keyed by the image's row in the data set; false in runs of "
                  "earlier versions: by its place in the batch");
  field.defaulted("rollbacks", state.rollbacks, "the collapses so far");
  field("history", state.history, "of the finished epochs");
}

}  // namespace fercli
