#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "train/epoch_record.hpp"
#include "train/train_options.hpp"

namespace fercli {

/// The validation after each epoch. The ranks share the images, and all of them know the figures.
class Validation {
 public:
  /// images: must outlive this object. options.ranks is not null.
  Validation(const Dataset& images, const TrainOptions& options);

  /// Fills the validation part of the record: of the answers of `judge`, and, where the record has a robust part, of
  /// those under PGD and of `live`, the weights themselves. Throws what `Ranks::together` does.
  void measure(const Classifier& judge, const std::function<Classifier()>& live, EpochRecord& record) const;

  int64_t watched_images() const;  ///< on which the weights themselves are looked at

 private:
  torch::Tensor measure_clean(const Classifier& classifier, EpochRecord& record) const;
  RobustCounts measure_robust(const Classifier& classifier, int64_t images) const;
  std::string measure_own_blocks(const Classifier& classifier) const;

  const Dataset& images_;
  std::shared_ptr<Ranks> ranks_;
  Observer& observer_;
  bool stops_;                              ///< at an interrupt
  std::optional<RobustValidation> robust_;  ///< in adversarial training
};

}  // namespace fercli
