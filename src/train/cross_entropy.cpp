// Standard training: cross-entropy with soft targets.
#include "train/training_loss.hpp"

namespace fercli::cross_entropy_training {

namespace {

const Register<TrainingLoss> registered{
    {"cross-entropy", "standard training", [](const TrainingModel& model, const TrainingBatch& batch) {
       const auto logits = model.logits(batch.x);
       return LossOutput{label_loss(logits, batch), logits.detach()};
     }}};

}  // namespace

}  // namespace fercli::cross_entropy_training
