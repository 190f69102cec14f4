#include "train/train_options.hpp"

#include <nlohmann/json.hpp>

#include "train/training_loss.hpp"

namespace fercli {

bool TrainOptions::is_adversarial() const {
  return Registry<TrainingLoss>::instance().get(loss).attack.has_value();
}

Values TrainOptions::parameters() const {
  return {parameters_of(Registry<TrainingLoss>::instance().get(loss)), loss_parameters};
}

nlohmann::json TrainOptions::to_json() const {
  nlohmann::json json = {{"loss", loss},
                         {"optimizer", optimizer},
                         {"schedule", schedule.kind},
                         {"lr", schedule.lr},
                         {"epochs", schedule.epochs},
                         {"warmup-epochs", schedule.warmup_epochs},
                         {"batch-size", batch_size},
                         {"weight-decay", weight_decay},
                         {"clip-norm", clip_norm},
                         {"label-smoothing", label_smoothing},
                         {"mixup", mixup},
                         {"class-weights", class_weights},
                         {"logit-adjustment", logit_adjustment},
                         {"ema", ema},
                         {"patience", patience},
                         {"plateau-patience", plateau_patience},
                         {"rotate", augmentation.rotate},
                         {"scale", augmentation.scale},
                         {"translate", augmentation.translate},
                         {"flip", augmentation.flip},
                         {"brightness", augmentation.brightness},
                         {"contrast", augmentation.contrast},
                         {"erase", augmentation.erase},
                         {"crop", augmentation.crop},
                         {"full-epochs", full_epochs},
                         {"seed", runtime.seed},
                         {"precision", to_string(resolve_precision(runtime))},
                         {"device", runtime.device}};
  if (micro_shards > 0) json["micro-shards"] = micro_shards;
  if (freeze_until > 0) json["freeze-until"] = freeze_until;
  if (teacher) json["teacher"] = teacher->to_json();
  for (const auto& parameter : parameters_of(Registry<TrainingLoss>::instance().get(loss))) {
    const auto values = parameters().json();
    if (values.contains(parameter.json_name())) json[parameter.name] = values.at(parameter.json_name());
  }
  if (is_adversarial()) {
    json.update({{"eps", adversarial.eps},
                 {"eps-ramp", adversarial.ramp},
                 {"awp", adversarial.awp},
                 {"robust-images", adversarial.robust_images},
                 {"robust-steps", adversarial.robust_steps}});
  }
  return json;
}

}  // namespace fercli
