#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/observer.hpp"
#include "core/parameters.hpp"
#include "core/ranks.hpp"
#include "core/runtime.hpp"
#include "data/augmentation.hpp"
#include "train/distillation.hpp"
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
  Observer* observer = &Observer::none();  ///< follows epochs and validations

  bool in_micro_shards() const { return micro_shards > 0; }
  bool is_adversarial() const;  ///< by its loss
  Values parameters() const;    ///< all of the loss. Throws std::invalid_argument

  /// Everything that shapes the weights: a run can only be resumed with equal values.
  nlohmann::json to_json() const;
};

}  // namespace fercli
