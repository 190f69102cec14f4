#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/classifier.hpp"

namespace fercli {

class ForeignModel;  // models/graph/foreign_model.hpp

/// Everything needed to use a trained network: what it is, its weights, and the record of its training.
struct Checkpoint : NetworkSpec {
  nlohmann::json training;           ///< options, data digest, seed, epochs, selection; shown by `fercli summary`
  std::shared_ptr<Network> network;  ///< float32
  std::string digest;                ///< SHA-256 of the file it was loaded from; "" when not from a file
  std::shared_ptr<const ForeignModel> foreign = {};  ///< an imported graph, in place of `network`
  std::vector<std::string> warnings = {};            ///< what every result with this model must say
  std::string executor = "auto";                     ///< the ExecutorEntry that is to run it; is not stored
};

/// Weights are stored as float16 (bfloat16 would lose 3 more bits), BatchNorm statistics as float32, imported graphs as
/// they came.
void save_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);

/// Throws UserError: no such file, foreign, damaged, unknown architecture, tensors missing or of the wrong shape, or
/// TorchScript in it that does more than compute with tensors, without `trust_code`.
Checkpoint load_checkpoint(const std::filesystem::path& path, bool trust_code = false);

/// The classifier of a checkpoint, in the precision and on the device asked for.
Classifier make_classifier(const Checkpoint& checkpoint, const Runtime& runtime);

/// What a result records about its model: name as given, digest, architecture, classes, preprocessing, and the executor
/// if one was asked for.
nlohmann::json describe_model(const Checkpoint& checkpoint, const std::string& model);

/// All that the classifier's answers depend on besides the file and the arithmetic, import options included:
/// measurements kept for later belong to equal descriptions only.
nlohmann::json describe_classifier(const Classifier& classifier);

/// The model that `option` names on the command line: a file, or the name of a shipped one ("standard"). Throws
/// UserError that lists the shipped models.
std::filesystem::path resolve_model(const std::string& model, const std::string& option = "--model");

}  // namespace fercli
