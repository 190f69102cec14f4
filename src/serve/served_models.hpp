#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/runtime.hpp"
#include "models/checkpoint.hpp"
#include "record/fields.hpp"

namespace fercli {

/// A network as --model names it: a shipped one's name, or a file.
struct NamedCheckpoint {
  std::string name;
  Checkpoint checkpoint;
};

/// A network under the name by which requests ask for it.
struct ServedModel {
  std::string name;  ///< of a file its name without extension; as --model has it where two would be the same, or "all"
  std::string digest;
  Classifier classifier;
};

/// The networks of one server, in the order of --model. Usable by any number of threads at once.
class ServedModels {
 public:
  /// Throws UserError when a network is given twice or called "all", and on an empty list.
  ServedModels(const std::vector<NamedCheckpoint>& checkpoints, const Runtime& runtime);

  const std::vector<ServedModel>& all() const { return models_; }
  const ServedModel& first() const { return models_.front(); }

  /// In any case of letters where one network alone is meant. Throws RequestError 400 that lists the names.
  const ServedModel& get(const std::string& name) const;

  /// "" is the first, "all" every one, else names separated by commas. Throws as `get` does.
  std::vector<const ServedModel*> chosen(const std::string& names) const;

 private:
  std::vector<ServedModel> models_;
};

/// {"model", "arch", "digest", "classes", "precision", "input"}.
nlohmann::ordered_json describe_served(const ServedModel& model);
shape::Members served_members();

/// Every class of a network: {"name", "french", "emoji"}.
nlohmann::ordered_json labels_of(const LabelSet& classes);
nlohmann::json labels_schema();

/// What a network says of a face, in shares, 0 to 1.
struct Verdict {
  std::string emotion, label;
  double confidence = 0;
  std::vector<std::pair<std::string, double>> probabilities;  ///< in the order of the classes
};

template <class Visitor>
void visit_fields(Visitor& field, Verdict& verdict) {
  field("emotion", verdict.emotion, "In the language asked for");
  field("label", verdict.label, "The same in English");
  field("confidence", verdict.confidence, "Of that emotion", shape::share());
  field("probabilities", verdict.probabilities, "Share of each emotion", shape::map_of(shape::share()));
}

/// `language`: "en" or "fr".
Verdict verdict_of(const LabelSet& classes, const std::vector<double>& probabilities, const std::string& language);

}  // namespace fercli
