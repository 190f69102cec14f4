#pragma once

#include "record/fields.hpp"
#include "train/robust_validation.hpp"

namespace fercli {

/// What an epoch of adversarial training adds to the log. Validation is by PGD at the full eps.
struct RobustRecord {
  double eps = 0;
  int64_t steps = 0;
  RobustCounts counts;
  double accuracy = 0, balanced_accuracy = 0, live_balanced_accuracy = 0;
  int64_t top_class = 0;
  double top_share = 0;
};

template <class Visitor>
void visit_fields(Visitor& field, RobustRecord& record) {
  field("eps", record.eps, "of the attack in training, at the end of the epoch");
  field("steps", record.steps, "of the attack in training");
  field("hits", record.counts.hits, "images of each class that keep their label under PGD");
  field("images", record.counts.images, "images of each class in the fixed part of the validation images");
  field("accuracy", record.accuracy, "from these counts, in the proportions of all validation images");
  field("balanced_accuracy", record.balanced_accuracy, "mean over classes; the best checkpoint is chosen by it");
  field("live_balanced_accuracy", record.live_balanced_accuracy,
        "of the weights themselves, not their average, on the first 140 images or fewer");
  field("top_class", record.top_class, "the answer given most often to the clean validation images");
  field("top_share", record.top_share, "how often");
}

/// One line of the log.
struct EpochRecord {
  int64_t epoch = 0;
  double train_loss = 0, train_accuracy = 0;
  double validation_loss = 0, validation_accuracy = 0, validation_balanced_accuracy = 0;
  double learning_rate = 0, seconds = 0;
  bool best = false;
  std::optional<RobustRecord> robust;

  /// What the best checkpoint is chosen by: balanced robust accuracy in adversarial training, else accuracy.
  double score() const { return robust ? robust->balanced_accuracy : validation_accuracy; }
};

template <class Visitor>
void visit_fields(Visitor& field, EpochRecord& record) {
  field("epoch", record.epoch, "from 1");
  field("train_loss", record.train_loss, "on the augmented images, while they were learnt");
  field("train_accuracy", record.train_accuracy, "on the same images");
  field("validation_loss", record.validation_loss, "of the averaged weights when ema > 0, as the next two");
  field("validation_accuracy", record.validation_accuracy, "share of the validation images");
  field("validation_balanced_accuracy", record.validation_balanced_accuracy, "mean over classes");
  field("learning_rate", record.learning_rate, "at the end of the epoch");
  field.defaulted("seconds", record.seconds, "which checkpoints leave out");
  field("best", record.best, "better than all epochs before");
  field.optional("robust", record.robust, "in adversarial training");
}

}  // namespace fercli
