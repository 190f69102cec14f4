#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/checkpoint.hpp"
#include "report/tensorboard.hpp"
#include "train/epoch_record.hpp"

namespace fercli {

constexpr const char* kModelCard = "fercli model card";  ///< what a card says of itself, as its `schema`

/// The files that tell how a training run went: history.csv, learning_curves.png, model_card.json, TensorBoard's logs.
class TrainingLog {
 public:
  /// start: what the run began with; its `training` JSON goes into the card.
  TrainingLog(std::filesystem::path folder, Checkpoint start, int64_t validation_images);

  /// After each epoch, with all epochs so far. best.pt must be there.
  void write(const std::vector<EpochRecord>& history);

 private:
  void log_scalars(const EpochRecord& record);
  void write_card(const std::vector<EpochRecord>& history) const;

  std::filesystem::path folder_;
  Checkpoint start_;
  int64_t validation_images_;
  TensorBoardWriter writer_;
};

/// The epochs of a history.csv: [{"epoch", "train_loss", "train_accuracy", "validation_loss", …}, …]. Throws UserError
/// when the file cannot be read or is no such table.
nlohmann::json read_history(const std::filesystem::path& path);

/// The history of a model file's training where a run or the shipped models keep it: history.csv beside best.pt and
/// last.pt, NAME-history.csv beside NAME.pt. Empty when there is none.
std::filesystem::path history_beside(const std::filesystem::path& model);

/// One line for the terminal; clean and robust accuracy side by side.
std::string describe_epoch(const EpochRecord& record, const LabelSet& classes);

/// The accuracies of the chosen epoch with their intervals.
std::string describe_best(const EpochRecord& record, int64_t validation_images);

}  // namespace fercli
